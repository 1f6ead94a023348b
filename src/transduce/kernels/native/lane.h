// The books of one sentence of a beam search: what it has finished, and when it has enough. The rules
// are those of search/lane.py and search/steps.py, number for number.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "call.h"

namespace transduce {

// When a beam closes; the last three as transformers' ``generate`` does (config.py says how).
enum class Stopping : int64_t { kBound = 0, kGenerate = 1, kEarly = 2, kNever = 3 };

// What a search is told. ``penalties[n]`` is what a log-probability of n scored tokens is divided by.
struct Plan {
  int64_t beam, nbest;              // W, and how many outputs are wanted
  int64_t sentences;                // B
  const int64_t *least, *most;      // [B] tokens of an output, END not counted
  const double* penalties;          // [max(most, P) + 3]
  int64_t penalty_count;
  const int64_t* prefix;            // [P] what every output begins with
  int64_t prefix_length;            // P
  int64_t free;                     // so many of the prefix score 0
  const int64_t* banned_first;         // tokens that do not follow the prefix, each once
  int64_t banned_first_count;
  Stopping stopping;
  int64_t forced_end;               // whether what is cut at the maximum ends there, at no cost
  int64_t begin_token, end_token;

  bool like_generate() const { return stopping != Stopping::kBound; }

  // Tokens of the longest output that may come.
  int64_t longest() const { return std::max(*std::max_element(most, most + sentences), prefix_length); }

  // Throws Refused where the numbers contradict each other or the vocabulary.
  void check(int64_t vocabulary) const {
    constexpr int64_t kMost = std::numeric_limits<int32_t>::max();
    require(beam > 0 && nbest > 0 && nbest <= beam && sentences > 0, Fault::kSizes);
    require(product({sentences, 2, beam}) < kMost, Fault::kSizes);
    require(prefix_length >= 0 && banned_first_count >= 0 && free >= 0, Fault::kSizes);
    require(prefix_length < kMost && banned_first_count <= vocabulary, Fault::kSizes);
    require(stopping >= Stopping::kBound && stopping <= Stopping::kNever, Fault::kSizes);
    for (int64_t b = 0; b < sentences; ++b)
      require(0 <= least[b] && least[b] <= most[b] && most[b] < kMost, Fault::kSizes);
    require(penalty_count >= longest() + 3, Fault::kSizes);
    const auto is_token = [&](int64_t token) { return token >= 0 && token < vocabulary; };
    require(is_token(begin_token) && is_token(end_token), Fault::kSizes);
    require(std::all_of(prefix, prefix + prefix_length, is_token), Fault::kSizes);
    require(std::all_of(banned_first, banned_first + banned_first_count, is_token), Fault::kSizes);
  }
};

// A hypothesis that goes no further: hypothesis ``row`` after ``steps`` entries of the history.
struct Output {
  double score, log_probability;
  int64_t steps, row;
  float end_score;
  bool finished, behind;  // behind all that took END

  bool before(const Output& other) const {
    return behind != other.behind ? other.behind : score > other.score;
  }
};

struct Lane {
  int64_t sentence, least, most;
  int64_t room;                 // like generate: of the W places of the last step, those not ENDs
  int64_t count = 0;            // outputs that ever came in finished
  std::vector<Output> outputs;  // at most W, best first

  // After older ones that are as good.
  void add(const Output& output, int64_t width) {
    const auto place = std::upper_bound(
        outputs.begin(), outputs.end(), output,
        [](const Output& a, const Output& b) { return a.before(b); });
    outputs.insert(place, output);
    if (static_cast<int64_t>(outputs.size()) > width) outputs.pop_back();
    count += output.finished;
  }

  // Whether the n-th best output is out of reach of the open hypotheses, of which the best has
  // log-probability ``best`` after ``length`` tokens; search/lane.py says why so.
  bool enough(double best, int64_t length, const Plan& plan) const {
    if (plan.beam == 1) return count >= 1;
    if (plan.like_generate()) return generate_stops(best, length, plan);
    const int64_t needed = std::min(plan.nbest, plan.beam);
    if (static_cast<int64_t>(outputs.size()) < needed) return false;
    const Output& last = outputs[needed - 1];
    if (count >= plan.beam)
      return last.log_probability >= best || last.score >= best / plan.penalties[length + 1];
    return last.finished && last.score >= best / plan.penalties[most + 1];
  }

  bool generate_stops(double best, int64_t length, const Plan& plan) const {
    if (length >= most && !plan.forced_end) return false;  // what the next step cuts counts too
    if (static_cast<int64_t>(outputs.size()) < plan.beam) return false;
    if (plan.stopping == Stopping::kEarly) return true;
    if (plan.stopping == Stopping::kNever && plan.penalties[2] > plan.penalties[1])
      length = most + plan.forced_end;
    return best / plan.penalties[length] <= outputs.back().score;
  }
};

// What was written, step by step: an entry for each hypothesis that went on, which points to the
// entry of the step before that it continues.
class History {
 public:
  int64_t steps() const { return static_cast<int64_t>(starts_.size()); }

  void begin_step() { starts_.push_back(static_cast<int64_t>(tokens_.size())); }

  void append(int64_t token, float score, int64_t origin) {
    tokens_.push_back(token);
    scores_.push_back(score);
    origins_.push_back(origin);
  }

  // The first ``steps`` tokens and scores of what was hypothesis ``row`` after them.
  void trace(int64_t steps, int64_t row, int64_t* tokens, float* scores) const {
    for (int64_t step = steps - 1; step >= 0; --step) {
      const int64_t place = starts_[step] + row;
      tokens[step] = tokens_[place];
      scores[step] = scores_[place];
      row = origins_[place];
    }
  }

 private:
  std::vector<int64_t> starts_, tokens_, origins_;
  std::vector<float> scores_;
};

}  // namespace transduce
