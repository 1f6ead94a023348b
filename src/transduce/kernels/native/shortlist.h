// The columns of an output layer that some sentences may choose from, side by side.
#pragma once

#include <algorithm>
#include <memory>
#include <vector>

#include "products.h"

namespace transduce {

// Each sentence has a list of tokens. The columns of all their tokens are gathered once; at each step the
// rows of a sentence meet only the panels in which it has a token, and a logit goes to the place that its
// token has in the sentence's own list. So nothing hangs on what is gathered beside it.
class Shortlists {
 public:
  // ``lists``: rows of ``stride`` tokens, rising, zeros behind the last; of sentence b of the call the row
  // ``places[b]``, or row b where there are no places.
  Shortlists(const Weight& all, const int64_t* lists, int64_t stride, int64_t sentences,
             const int64_t* places) {
    for (int64_t b = 0; b < sentences; ++b) {
      const int64_t place = places == nullptr ? b : places[b];
      const int64_t* tokens = lists + place * stride;
      int64_t count = 1;
      while (count < stride && tokens[count] > 0) ++count;
      if (static_cast<int64_t>(lists_.size()) <= place) lists_.resize(place + 1);
      lists_[place] = {tokens, count};
      longest_ = std::max(longest_, count);
      places_.push_back(place);
    }
    gather(all);
    note_wishes(all.columns);
  }

  struct List {
    const int64_t* tokens;
    int64_t count;
  };

  const List& list(int64_t place) const { return lists_[place]; }

  // Floats of a row of logits: those of its own list, in whole panels.
  int64_t stride() const { return (longest_ + kPanel - 1) / kPanel * kPanel; }

  // Before a run over the ``sentences`` of ``call``, on one thread.
  void open(const Call& call) {
    open_.assign(lists_.size(), -1);
    for (int64_t b = 0; b < call.sentences; ++b)
      open_[call.places == nullptr ? b : call.places[b]] = b;
    logits_.resize(std::max<size_t>(logits_.size(), call.rows * stride()));
  }

  float* logits(int64_t row) { return logits_.data() + row * stride(); }

  // One thread's share of all logits.
  void multiply(const float* input, int64_t input_stride, const Activations& converted, int64_t each,
                int thread, int threads) {
    const Share share(static_cast<int64_t>(wishes_.size()), thread, threads);
    for (int panel = first_from(share.begin); panel < first_from(share.end); ++panel)
      multiply_panel(panel, input, input_stride, converted, each);
  }

 private:
  // Where in its list the tokens of a panel's columns stand for a sentence; -1: they do not.
  struct Wish {
    int64_t sentence;
    int32_t where[kPanel];
  };

  // Tokens of most sentences first, then those of one sentence together: so that panels are either
  // for many rows or full for few.
  void gather(const Weight& all) {
    std::vector<int32_t> wanted(all.columns), first(all.columns);
    for (size_t b = 0; b < places_.size(); ++b) {
      const List& own = lists_[places_[b]];
      for (int64_t i = 0; i < own.count; ++i) {
        const int64_t token = own.tokens[i];
        if (wanted[token]++ > 0) continue;
        first[token] = static_cast<int32_t>(b);
        union_.push_back(static_cast<int32_t>(token));
      }
    }
    std::sort(union_.begin(), union_.end(), [&](int32_t a, int32_t b) {
      if (wanted[a] != wanted[b]) return wanted[a] > wanted[b];
      return first[a] != first[b] ? first[a] < first[b] : a < b;
    });
    weight_ = std::make_unique<Weight>(all, union_);
  }

  void note_wishes(int columns) {
    std::vector<int32_t> column(columns);
    for (size_t u = 0; u < union_.size(); ++u) column[union_[u]] = static_cast<int32_t>(u);
    const auto each = [&](const auto& take) {
      for (const int64_t place : places_) {
        const List& own = lists_[place];
        for (int64_t i = 0; i < own.count; ++i) take(place, column[own.tokens[i]], i);
      }
    };
    std::vector<int64_t> last(weight_->panels, -1), count(weight_->panels + 1);
    each([&](int64_t place, int32_t at, int64_t) {
      int64_t& seen = last[at / kPanel];
      count[at / kPanel + 1] += seen != place;
      seen = place;
    });
    for (int panel = 0; panel < weight_->panels; ++panel) count[panel + 1] += count[panel];
    starts_ = count;
    wishes_.resize(count.back());
    std::fill(last.begin(), last.end(), -1);
    each([&](int64_t place, int32_t at, int64_t i) {
      const int panel = at / kPanel;
      if (last[panel] != place) {
        Wish& wish = wishes_[count[panel]++];
        wish.sentence = last[panel] = place;
        std::fill_n(wish.where, kPanel, -1);
      }
      wishes_[count[panel] - 1].where[at % kPanel] = static_cast<int32_t>(i);
    });
  }

  int first_from(int64_t wish) const {
    return static_cast<int>(std::lower_bound(starts_.begin(), starts_.end(), wish) - starts_.begin());
  }

  void multiply_panel(int panel, const float* input, int64_t input_stride,
                      const Activations& converted, int64_t each) {
    alignas(64) float tile[kTileRows * kPanel];
    const Wish* held[kTileRows];
    int first = 0, count = 0;
    const auto flush = [&] {
      if (count == 0) return;
      multiply_tile(*weight_, panel, input, input_stride, converted, first, count, tile);
      for (int r = 0; r < count; ++r)
        for (int lane = 0; lane < kPanel; ++lane)
          if (held[r]->where[lane] >= 0)
            logits(first + r)[held[r]->where[lane]] = tile[r * kPanel + lane];
      count = 0;
    };
    for (int64_t i = starts_[panel]; i < starts_[panel + 1]; ++i) {
      const int64_t b = open_[wishes_[i].sentence];
      for (int64_t row = b * each; b >= 0 && row < (b + 1) * each; ++row) {
        if (count == kTileRows || row != first + count) flush();
        if (count == 0) first = static_cast<int>(row);
        held[count++] = &wishes_[i];
      }
    }
    flush();
  }

  std::vector<List> lists_;      // by place
  std::vector<int64_t> places_;  // that have a list, in the order of the sentences
  int64_t longest_ = 1;
  std::vector<int32_t> union_;   // token of each column
  std::unique_ptr<Weight> weight_;
  std::vector<Wish> wishes_;     // panel by panel
  std::vector<int64_t> starts_;  // [panels + 1]
  std::vector<int64_t> open_;    // by place: the sentence of the run; -1: none
  std::vector<float> logits_;
};

}  // namespace transduce
