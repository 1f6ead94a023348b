// How a program goes over rows: some of them at a time through as many operations as possible, so that
// what one operation writes is still in the processor's caches when the next one reads it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace transduce {

// From ``begin`` on, before ``end``.
struct Range {
  int64_t begin, end;

  int64_t size() const { return end - begin; }
};

// In which order an operation takes rows: all at once, some at a time in any order, from the first one
// on, or from the last one back.
enum class Order { kTogether, kAny, kOnwards, kBack };

// What an operation does to buffers, in the order in which it does so. What is written is whole rows,
// whatever was in them; a change leaves some of what was there.
struct Touch {
  enum Kind { kReads, kChanges, kWrites };
  int buffer;
  Kind kind;
};

class Touches {
 public:
  void reads(int buffer) { all_.push_back({buffer, Touch::kReads}); }
  void changes(int buffer) { all_.push_back({buffer, Touch::kChanges}); }
  void writes(int buffer) { all_.push_back({buffer, Touch::kWrites}); }
  const std::vector<Touch>& all() const { return all_; }

 private:
  std::vector<Touch> all_;
};

// ``reach``: rows before and behind its own that an operation reads, where it takes them onwards.
// ``block``: positions of a source that its rows stand for. ``closes``: what comes behind it wants it done
// for all rows.
struct Habits {
  Order order;
  int64_t reach;
  int block;
  bool closes;
  Touches touches;
};

// Operations of a pass that are ``lead`` rows ahead of the last ones, which reach so far.
struct Stage {
  int begin, end;  // operations
  int64_t lead;
};

// A buffer that some stages write and others read: it holds the rows from ``behind`` to ``ahead`` of
// those that the last stage has at hand.
struct Sliding {
  int buffer;
  int64_t behind, ahead;
};

// Operations that go over the rows together.
struct Pass {
  Order order = Order::kAny;
  std::vector<Stage> stages;
  std::vector<int> passing;  // buffers that hold no more than the rows that a stage has at hand
  std::vector<Sliding> sliding;
  int block = 1;
  bool closed = false;
  int64_t width = 0;  // floats of a row in both
  int64_t reach = 0;  // the farthest

  int64_t lead() const { return stages.front().lead; }

  bool takes(const Habits& habits) const {
    if (order == Order::kTogether || habits.order == Order::kTogether) return false;
    if (closed || block != habits.block) return false;
    return order == Order::kAny || habits.order == Order::kAny || order == habits.order;
  }

  void take(int operation, const Habits& habits) {
    if (habits.order != Order::kAny) order = habits.order;
    reach = std::max(reach, habits.reach);
    block = habits.block;
    closed = habits.closes;
    if (stages.empty() || habits.reach > 0) {
      for (Stage& stage : stages) stage.lead += habits.reach;
      stages.push_back({operation, operation, 0});
    }
    stages.back().end = operation + 1;
  }

  // Rows at a time of ``all``: so few that a thread's own cache holds them, so many that weights, and rows
  // within the reach of two chunks, are not read too often.
  int64_t rows(int64_t all, int threads) const {
    if (order == Order::kTogether) return all;
    const int64_t held = kHeld / static_cast<int64_t>(sizeof(float)) / std::max<int64_t>(width, 1);
    const int64_t each = std::clamp(held, kLeast, kMost);
    const int64_t wanted = std::max(each * threads, kReaches * reach);
    return std::min(all, (wanted + kMultiple - 1) / kMultiple * kMultiple);
  }

 private:
  static constexpr int64_t kHeld = 512 << 10;  // bytes
  static constexpr int64_t kLeast = 192, kMost = 1536, kMultiple = 48, kReaches = 8;
};

// A program's operations in passes, and which buffers need not hold all rows.
class Passes {
 public:
  Passes() = default;

  Passes(const std::vector<Habits>& operations, const std::vector<int>& strides) {
    for (size_t i = 0; i < operations.size(); ++i) {
      if (passes_.empty() || !passes_.back().takes(operations[i])) passes_.emplace_back();
      passes_.back().take(static_cast<int>(i), operations[i]);
    }
    for (size_t buffer = 0; buffer < strides.size(); ++buffer)
      place(operations, static_cast<int>(buffer), strides[buffer]);
  }

  const std::vector<Pass>& all() const { return passes_; }

  // Rows that a buffer must have room for, of ``rows`` of its kind.
  int64_t room(int buffer, int64_t rows, int threads) const {
    int64_t most = 0;
    for (const Pass& pass : passes_) {
      const int64_t some = pass.rows(rows, threads);
      for (const int passing : pass.passing)
        if (passing == buffer) most = std::max(most, some);
      for (const Sliding& one : pass.sliding)
        if (one.buffer == buffer) most = std::max(most, std::min(rows, some + one.ahead - one.behind));
    }
    return most == 0 ? rows : most;
  }

 private:
  // What happens to a buffer from one writing of whole rows to the next.
  struct Life {
    size_t pass, first, last;  // stages
    int64_t behind, ahead;

    bool passes() const { return first == last; }
  };

  void place(const std::vector<Habits>& operations, int buffer, int stride) {
    std::vector<Life> lives;
    for (size_t p = 0; p < passes_.size(); ++p)
      for (size_t s = 0; s < passes_[p].stages.size(); ++s)
        for (int i = passes_[p].stages[s].begin; i < passes_[p].stages[s].end; ++i)
          for (const Touch& touch : operations[i].touches.all())
            if (touch.buffer == buffer && !live(lives, touch, p, s, operations[i].reach)) return;
    for (const Life& life : lives)
      if (!life.passes() && lives_in(lives, life.pass) > 1) return;
    for (size_t i = 0; i < lives.size(); ++i) {
      if (i > 0 && lives[i].pass == lives[i - 1].pass) continue;  // it is there
      Pass& pass = passes_[lives[i].pass];
      pass.width += stride;
      if (lives[i].passes())
        pass.passing.push_back(buffer);
      else
        pass.sliding.push_back({buffer, lives[i].behind, lives[i].ahead});
    }
  }

  // False where the buffer must hold all rows.
  bool live(std::vector<Life>& lives, const Touch& touch, size_t p, size_t s, int64_t reach) const {
    if (passes_[p].order == Order::kTogether) return false;
    const int64_t lead = passes_[p].stages[s].lead;
    if (touch.kind == Touch::kWrites) {
      lives.push_back({p, s, s, lead, lead});
      return true;
    }
    if (lives.empty() || lives.back().pass != p) return false;
    lives.back().last = s;
    lives.back().behind = std::min(lives.back().behind, lead - reach);
    return true;
  }

  static int64_t lives_in(const std::vector<Life>& lives, size_t pass) {
    return std::count_if(lives.begin(), lives.end(), [&](const Life& l) { return l.pass == pass; });
  }

  std::vector<Pass> passes_;
};

}  // namespace transduce
