// Greedy and beam search from beginning to end, over a decoder's program.
#pragma once

#include "search_border.h"

namespace transduce {

// A search of some of the sentences. Rows are hypotheses: row n belongs to open lane n / W.
class Search {
 public:
  Search(Program& program, const Call& call, const Plan& plan, const Slots& slots,
         std::vector<int64_t> sentences)
      : program_(program), call_(call), plan_(plan), slots_(slots), needs_(program.needs()),
        lease_(program), tensors_(call.tensors, call.tensors + call.tensor_count) {
    call_.tensors = tensors_.data();
    for (const int64_t sentence : sentences) {
      lanes_.push_back({sentence, plan.least[sentence], plan.most[sentence], plan.beam, 0, {}});
      longest_minimum_ = std::max(longest_minimum_, plan.least[sentence]);
    }
    for (size_t lane = 0; lane < lanes_.size(); ++lane) open_.push_back(lane);
    places_ = std::move(sentences);
    width_ = 1;  // until the first choice
    scores_.assign(open_.size(), 0.0f);
    tokens_.assign(open_.size(), plan.begin_token);
    begin_rows();
    call_.sentences = static_cast<int64_t>(open_.size());
    call_.places = places_.data();
    program_.gather(*lease_, call_);
  }

  Fault outcome() const { return outcome_; }

  // All threads of ``pool``'s team run it; thread 0 keeps the books.
  void run(Pool& pool, int thread) {
    for (int64_t step = 0;; ++step) {
      if (thread == 0) guarded([&] { prepare(step, pool.threads()); });
      pool.barrier();
      if (finished_) return;
      program_.share(*lease_, pool, call_, thread);
      if (thread == 0) guarded([&] { take(step); });
      pool.barrier();
    }
  }

  void write(const Found& found) const {
    for (const Lane& lane : lanes_)
      for (int64_t rank = 0; rank < plan_.nbest; ++rank) write(found, lane, rank);
  }

 private:
  static constexpr float kNothing = -std::numeric_limits<float>::infinity();
  static constexpr float kImpossible = -1e4f;  // the least that a forced token scores
  static constexpr int64_t kFirstPositions = 32;

  struct Candidate {
    float score, token_score;
    int64_t token, row;
  };

  // Other threads wait: nothing may be thrown past them.
  template <class Work>
  void guarded(const Work& work) {
    try {
      work();
    } catch (const std::exception&) {
      outcome_ = Fault::kMemory;
    }
    finished_ = open_.empty() || outcome_ != Fault::kNone;
  }

  int64_t rows() const { return static_cast<int64_t>(open_.size()) * width_; }
  bool in_prefix(int64_t step) const { return step < plan_.prefix_length; }
  bool free(int64_t step) const { return step < plan_.free && in_prefix(step); }

  // ------------------------------------------------------------ before a step

  void begin_rows() {
    const int64_t most = static_cast<int64_t>(open_.size()) * plan_.beam;
    row_bytes_.resize(slots_.row_count);
    spare_bytes_.resize(slots_.row_count);
    for (int64_t i = 0; i < slots_.row_count; ++i) {
      const RowTensor& row = slots_.rows[i];
      const auto* from = static_cast<const uint8_t*>(tensors_[row.tensor].memory);
      row_bytes_[i].resize(most * row.bytes);
      spare_bytes_[i].resize(most * row.bytes);
      for (size_t place = 0; place < places_.size(); ++place)
        std::memcpy(row_bytes_[i].data() + place * row.bytes, from + places_[place] * row.bytes,
                    row.bytes);
    }
    call_.capacity = most;
    call_.ancestry = 0;
  }

  void prepare(int64_t step, int threads) {
    if (open_.empty()) return;
    if (step >= slots_.positions) {
      outcome_ = Fault::kPositions;
      return;
    }
    const int64_t banned =
        (length_ < longest_minimum_) + (step == plan_.prefix_length ? plan_.banned_first_count : 0);
    const int64_t each = free(step) ? 1 : in_prefix(step) ? 0 : wanted() + banned;
    call_.rows = rows();
    call_.sentences = static_cast<int64_t>(open_.size());
    call_.position = step;
    call_.candidates = std::min(each, needs_.vocabulary - plan_.end_token);
    call_.places = places_.data();
    if (!needs_.planes.empty()) ensure_positions(step + 1);
    give(slots_.tokens, tokens_.data());
    for (int64_t i = 0; i < slots_.row_count; ++i)
      give(slots_.rows[i].tensor, row_bytes_[i].data());
    const int64_t count = call_.rows * call_.candidates;
    give(slots_.scores, Scratch::sized(found_scores_, count));
    give(slots_.chosen, Scratch::sized(found_tokens_, count));
    if (call_.candidates == 0)
      give(slots_.logits, Scratch::sized(logits_, call_.rows * needs_.vocabulary));
    program_.prepare(*lease_, call_, threads);
  }

  int64_t wanted() const { return plan_.beam > 1 ? 2 * plan_.beam : 1; }

  void give(int64_t tensor, void* memory) {
    if (tensor >= 0) tensors_[tensor] = {memory, Given::kOwn};
  }

  // Caches and the table of ancestors grow by doubling; nothing is cleared.
  void ensure_positions(int64_t wanted) {
    if (wanted > call_.ancestry) {
      const int64_t before = call_.ancestry, after = std::max(2 * before, kFirstPositions);
      Block<uint8_t> grown = reserve<uint8_t>(needs_.kept * call_.capacity * after);
      int64_t below = 0;  // bytes at a position
      for (const int64_t bytes : needs_.planes) {
        const int64_t position = call_.capacity * bytes;
        if (before > 0)
          std::memcpy(grown.get() + below * after, cache_.get() + below * before,
                      before * position);
        below += position;
      }
      cache_ = std::move(grown);
      std::vector<int32_t> table(call_.capacity * after);
      for (int64_t row = 0; row < rows(); ++row)
        std::copy_n(table_.data() + row * before, before, table.data() + row * after);
      table_ = std::move(table);
      spare_table_.resize(table_.size());
      call_.ancestry = after;
    }
    give(slots_.cache, cache_.get());
    give(slots_.table, table_.data());
  }

  // ------------------------------------------------------------ after a step

  void take(int64_t step) {
    if (in_prefix(step)) return force(plan_.prefix[step], free(step));
    history_.begin_step();
    next_.clear();
    keep_.clear();
    const int64_t width = plan_.beam;
    for (size_t place = 0; place < open_.size(); ++place) {
      Lane& lane = lanes_[open_[place]];
      choose(lane, static_cast<int64_t>(place));
      if (outcome_ != Fault::kNone) return;
      ended_.clear();
      const float best = split(lane);
      if (!close(lane, static_cast<int64_t>(place), best)) {
        keep_.push_back(static_cast<int64_t>(place));
        lane.room = width - static_cast<int64_t>(ended_.size());
        next_.insert(next_.end(), going_.begin(), going_.end());
      }
    }
    follow(width);
  }

  // Every row reads this token next.
  void force(int64_t token, bool free) {
    history_.begin_step();
    for (int64_t row = 0; row < rows(); ++row) {
      const float score = free ? 0.0f : forced_score(row, token);
      if (std::isnan(score)) outcome_ = Fault::kScores;
      history_.append(token, score, row);
      scores_[row] += score;
      tokens_[row] = token;
    }
    ++length_;
  }

  float forced_score(int64_t row, int64_t token) const {
    const float* logits = logits_.data() + row * needs_.vocabulary;
    const float top = *std::max_element(logits, logits + needs_.vocabulary);
    double total = 0;
    for (int64_t i = 0; i < needs_.vocabulary; ++i) total += std::exp(double(logits[i]) - top);
    return std::max(logits[token] - top - float(std::log(total)), kImpossible);
  }

  // The best 2 W (or 1) continuations of a lane, best first; of equals the better parent, then the
  // smaller token.
  void choose(const Lane& lane, int64_t place) {
    const int64_t each = call_.candidates;
    best_.clear();
    for (int64_t row = place * width_; row < (place + 1) * width_; ++row) {
      const float* values = found_scores_.data() + row * each;
      const int64_t* tokens = found_tokens_.data() + row * each;
      if (std::isnan(values[0])) outcome_ = Fault::kScores;
      for (int64_t i = 0; i < each; ++i) {
        const bool banned = (tokens[i] == plan_.end_token && lane.least > length_) ||
                            (length_ == plan_.prefix_length && banned_first(tokens[i]));
        const float value = banned ? kNothing : values[i];
        best_.push_back({value + scores_[row], value, tokens[i], row});
      }
    }
    const auto count = std::min<size_t>(wanted(), best_.size());
    const auto better = [](const Candidate& a, const Candidate& b) { return a.score > b.score; };
    if (count == 1) {
      std::swap(best_[0], *std::min_element(best_.begin(), best_.end(), better));
      best_.resize(1);
      return;
    }
    std::stable_sort(best_.begin(), best_.end(), better);
    best_.resize(count);
  }

  bool banned_first(int64_t token) const {
    const int64_t* end = plan_.banned_first + plan_.banned_first_count;
    return std::find(plan_.banned_first, end, token) != end;
  }

  // The best into those that end, which go to the lane, and the W that go on; the score of the best
  // of these.
  float split(Lane& lane) {
    const int64_t width = plan_.beam;
    going_.clear();
    for (size_t rank = 0; rank < best_.size(); ++rank) {
      const Candidate& candidate = best_[rank];
      if (candidate.token != plan_.end_token) {
        if (static_cast<int64_t>(going_.size()) < width) going_.push_back(candidate);
      } else if (static_cast<int64_t>(rank) < width && candidate.score > kNothing &&
                 (!plan_.like_generate() || length_ < lane.most)) {
        const double log_probability = candidate.score;
        ended_.push_back(candidate.row);
        lane.add({log_probability / plan_.penalties[length_ + 1], log_probability, history_.steps() - 1,
                  candidate.row, candidate.token_score, true, false},
                 width);
      }
    }
    while (static_cast<int64_t>(going_.size()) < width)
      going_.push_back({kNothing, kNothing, plan_.end_token, best_[0].row});
    float best = kNothing;
    for (const Candidate& candidate : going_) best = std::max(best, candidate.score);
    return best;
  }

  // Whether the lane goes no further; what is cut there, as it was before this step, comes in then.
  bool close(Lane& lane, int64_t place, float best) {
    const bool over = best == kNothing || length_ >= lane.most;
    if (!over && !(lane.count > 0 && lane.enough(best, length_ + 1, plan_))) return false;
    if (over && (lane.count < plan_.beam || plan_.like_generate())) cut(lane, place);
    return true;
  }

  void cut(Lane& lane, int64_t place) const {
    const bool ends = plan_.forced_end;
    const int64_t most = plan_.like_generate() && !ends ? std::min(lane.room, width_) : width_;
    for (int64_t row = place * width_; row < place * width_ + most; ++row) {
      if (scores_[row] == kNothing || std::count(ended_.begin(), ended_.end(), row)) continue;
      const double log_probability = scores_[row];
      lane.add({log_probability / plan_.penalties[length_ + ends], log_probability,
                history_.steps() - 1, row, 0.0f, ends, !ends && !plan_.like_generate()},
               plan_.beam);
    }
  }

  // Go on with ``next_``, hypotheses of the lanes in ``keep_``.
  void follow(int64_t width) {
    const int64_t count = static_cast<int64_t>(next_.size());
    scores_.resize(count);
    tokens_.resize(count);
    for (int64_t row = 0; row < count; ++row) {
      scores_[row] = next_[row].score;
      tokens_[row] = next_[row].token;
      history_.append(next_[row].token, next_[row].token_score, next_[row].row);
    }
    move_rows();
    for (size_t i = 0; i < keep_.size(); ++i) {
      open_[i] = open_[keep_[i]];
      places_[i] = places_[keep_[i]];
    }
    open_.resize(keep_.size());
    places_.resize(keep_.size());
    width_ = width;
    ++length_;
  }

  // Row n of every tensor becomes what its parent's row was.
  void move_rows() {
    bool same = true;
    for (size_t row = 0; row < next_.size(); ++row)
      same &= next_[row].row == static_cast<int64_t>(row);
    if (same) return;
    for (int64_t i = 0; i < slots_.row_count; ++i) {
      const int64_t bytes = slots_.rows[i].bytes;
      for (size_t row = 0; row < next_.size(); ++row)
        std::memcpy(spare_bytes_[i].data() + row * bytes, row_bytes_[i].data() + next_[row].row * bytes,
                    bytes);
      row_bytes_[i].swap(spare_bytes_[i]);
    }
    if (needs_.planes.empty()) return;
    for (size_t row = 0; row < next_.size(); ++row)
      std::copy_n(table_.data() + next_[row].row * call_.ancestry, call_.position + 1,
                  spare_table_.data() + row * call_.ancestry);
    table_.swap(spare_table_);
  }

  void write(const Found& found, const Lane& lane, int64_t rank) const {
    const int64_t place = lane.sentence * plan_.nbest + rank;
    if (rank >= static_cast<int64_t>(lane.outputs.size())) {
      found.lengths[place] = -1;
      return;
    }
    const Output& output = lane.outputs[rank];
    float* scores = found.token_scores + place * found.length;
    history_.trace(output.steps, output.row, found.tokens + place * found.length, scores);
    if (output.finished) scores[output.steps] = output.end_score;
    found.lengths[place] = output.steps;
    found.scores[place] = output.score;
    found.finished[place] = output.finished;
  }

  Program& program_;
  Call call_;
  const Plan& plan_;
  const Slots& slots_;
  const Needs needs_;
  const Program::Lease lease_;
  std::vector<Given> tensors_;

  std::vector<Lane> lanes_;     // of all sentences
  std::vector<int64_t> open_;   // which of them go on
  std::vector<int64_t> places_; // their sentences
  int64_t width_, length_ = 0, longest_minimum_ = 0;
  History history_;
  std::vector<float> scores_;   // of the open hypotheses: -inf where there is none
  std::vector<int64_t> tokens_; // what they read next
  bool finished_ = false;
  Fault outcome_ = Fault::kNone;

  std::vector<std::vector<uint8_t>> row_bytes_, spare_bytes_;
  std::vector<int32_t> table_, spare_table_;
  Block<uint8_t> cache_;
  std::vector<float> found_scores_, logits_;
  std::vector<int64_t> found_tokens_;

  std::vector<Candidate> best_, going_, next_;
  std::vector<int64_t> ended_, keep_;
};

}  // namespace transduce
