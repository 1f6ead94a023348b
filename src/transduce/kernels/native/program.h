// A program: operations that every thread runs its share of, on buffers of activations.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "call.h"
#include "passes.h"
#include "products.h"
#include "shortlist.h"

namespace transduce {

struct Buffer {
  int width, stride;  // floats of a row; the stride is a multiple of 16
  int64_t rows = 0;   // that there is room for
  int64_t first = 0;  // the row that stands where the room begins
  Block<float> values;

  explicit Buffer(int width) : width(width), stride(round_up(width, kLanes)) {}

  void ensure(int64_t wanted) {
    if (wanted <= rows) return;
    values = allocate<float>(wanted * stride);
    rows = wanted;
  }

  float* row(int64_t number) const { return values.get() + (number - first) * stride; }

  // Rows before ``wanted`` are not needed any more; those before ``end`` are there.
  void slide(int64_t wanted, int64_t end) {
    if (wanted <= first) return;
    if (wanted < end)
      std::memmove(values.get(), row(wanted), sizeof(float) * (end - wanted) * stride);
    first = wanted;
  }
};

// Σ e^logit as total · 2^exponent, and the largest logit.
struct Mass {
  float total, exponent, top;
};

// Row n's best C tokens so far, best first (of equals the smaller token), and what the
// log-probabilities need: the largest logit, a whole number above the logarithm to base 2 of every
// e^logit, and, in lanes, Σ e^logit / 2^exponent.
struct Best {
  float* values;
  int64_t* tokens;
  int count;
  float top, exponent;
  Floats totals;

  void take(float value, int64_t token) {
    int place = count - 1;
    if (!(value > values[place])) return;
    for (; place > 0 && value > values[place - 1]; --place) {
      values[place] = values[place - 1];
      tokens[place] = tokens[place - 1];
    }
    values[place] = value;
    tokens[place] = token;
  }
};

// What a thread's sentences need from position to position of a recurrent layer.
struct RecurrentRows {
  Activations converted;
  std::vector<float> sums, hidden, cell;
};

// A thread's own memory, kept between runs.
struct Scratch {
  std::vector<float> first, second;
  std::vector<float> shares;  // zero between runs
  std::vector<uint16_t> halves;
  std::vector<Factor> factors;
  std::vector<int64_t> places;
  std::vector<float> values;  // of ``best``, as are the tokens
  std::vector<int64_t> tokens;
  std::vector<Best> best;
  RecurrentRows recurrent;

  template <class T>
  static T* sized(std::vector<T>& values, int64_t count) {
    if (static_cast<int64_t>(values.size()) < count) values.resize(count);
    return values.data();
  }
};

// What a run writes into besides the tensors. A program can run several times at once, each time in
// a workspace of its own.
struct Workspace {
  std::vector<Buffer> buffers;
  Activations converted;
  std::vector<Mass> masses;   // of each row and slice of the vocabulary
  std::vector<Scratch> team;  // one for each thread
  std::unique_ptr<Shortlists> shortlists;
  int64_t at_once = 0;  // rows at a time of the operation that is prepared
  std::vector<std::vector<float>> carried;  // by each operation, from rows at hand to the next
};

struct Context {
  const Call& call;
  Pool& pool;
  const std::vector<Buffer>& buffers;
  Activations& converted;
  std::vector<Mass>& masses;
  std::vector<Scratch>& team;
  std::vector<std::vector<float>>& carried;
  Shortlists* shortlists;
  Scratch& scratch;
  int thread, threads;
  Range rows = {0, 0};  // at hand
  int64_t chunk = 0;    // how many were at hand before, in this pass

  Share share(int64_t count) const { return Share(count, thread, threads); }

  // A thread's own of the rows at hand.
  Share own_rows() const {
    Share own = share(rows.size());
    own.begin += rows.begin;
    own.end += rows.begin;
    return own;
  }

  // The sentences that have rows at hand.
  Range sentences() const {
    if (rows.size() == 0) return {0, 0};
    return {rows.begin / call.source, (rows.end - 1) / call.source + 1};
  }

  // A thread's own of so many numbers of these sentences: ``most`` of them at once, ``least`` where
  // sentences are fewer than threads. Read takes the sentence, the first number and their count.
  template <class Read>
  void share_numbers(int numbers, int most, int least, const Read& read) const {
    const Range all = sentences();
    const int own = all.size() >= threads ? most : least;
    const int64_t each = (numbers + own - 1) / own;
    const Share ways = share(all.size() * each);
    for (int64_t way = ways.begin; way < ways.end; ++way) {
      const int begin = static_cast<int>(way % each) * own;
      read(all.begin + way / each, begin, std::min(own, numbers - begin));
    }
  }

  // Of sentence b the positions that are at hand.
  Range positions(int64_t sentence) const {
    const int64_t S = call.source, first = sentence * S;
    return {std::clamp<int64_t>(rows.begin - first, 0, S), std::clamp<int64_t>(rows.end - first, 0, S)};
  }

  const Buffer& buffer(int number) const { return buffers[number]; }

  template <class T>
  T* tensor(int number) const {
    return static_cast<T*>(call.tensors[number].memory);
  }

  // Where sentence b stands in what was prepared of the memory.
  int64_t place(int64_t sentence) const {
    return call.places == nullptr ? sentence : call.places[sentence];
  }

  // The rows at hand of a buffer in the form that ``weight`` multiplies; ready on every thread.
  void convert(const Weight& weight, const Buffer& from) const {
    if (weight.number == Number::kFloat32) return;
    converted.convert(weight, from.row(rows.begin), from.stride, share(rows.size()));
    pool.barrier();
  }
};

// What a search gives itself for a program.
struct Needs {
  std::vector<int64_t> planes;  // of each layer keys, then values: bytes of a row at one position
  int64_t kept = 0;             // all of them together
  int64_t vocabulary = 0;  // V
  int64_t symbols = std::numeric_limits<int64_t>::max();  // that may be read
};

// An operation is checked twice: against the buffers when it is added, against the tensors and sizes
// before every run. ``prepare`` makes room, on one thread; ``run`` then asks for no memory.
struct Operation {
  int number = 0;  // in its program

  virtual ~Operation() = default;
  virtual const Weight* multiplied() const { return nullptr; }  // by converted activations
  virtual void fits(const Widths& widths) = 0;
  virtual void admit(const Call& call) const = 0;
  virtual Order order() const { return Order::kTogether; }
  virtual int64_t reach() const { return 0; }
  virtual bool across() const { return false; }  // touches rows of positions and of blocks
  virtual bool closes() const { return false; }  // what comes next wants it done for all rows
  virtual void touch(Touches& touches) const = 0;  // every buffer that ``run`` touches
  virtual void need(Needs&) const {}
  virtual void gather(const Call&, Workspace&) const {}  // once for all steps over its sentences
  virtual void prepare(const Call&, Workspace&) const {}
  virtual void run(const Context& context) const = 0;
};

class Program {
 public:
  int add_buffer(int width, int block = 1) {
    const int buffer = widths_.add(width, block);
    strides_.push_back(round_up(width, kLanes));
    return buffer;
  }

  int64_t width(int buffer) const { return widths_[buffer]; }

  void add(std::unique_ptr<Operation> operation) {
    operation->fits(widths_);
    operation->number = static_cast<int>(operations_.size());
    Habits habits{operation->order(), operation->reach(), 1, operation->closes(), {}};
    operation->touch(habits.touches);
    if (!operation->across()) habits.block = block_of(habits);
    habits_.push_back(std::move(habits));
    operations_.push_back(std::move(operation));
    planned_ = false;
  }

  Needs needs() const {
    Needs needs;
    for (const auto& operation : operations_) operation->need(needs);
    return needs;
  }

  // Throws Refused where something that is handed in is wrong.
  void admit(const Call& call) const {
    call.check();
    for (const auto& operation : operations_) operation->admit(call);
  }

  // Bytes of the weights that a step reads.
  int64_t weight_bytes() const {
    int64_t total = 0;
    for (const auto& operation : operations_)
      if (const Weight* weight = operation->multiplied()) total += weight->bytes();
    return total;
  }

  // A workspace that no other run is using, handed back when it goes.
  class Lease {
   public:
    explicit Lease(Program& program) : program_(program), workspace_(program.take()) {}
    ~Lease() { program_.give(std::move(workspace_)); }
    Workspace& operator*() const { return *workspace_; }

   private:
    Program& program_;
    std::unique_ptr<Workspace> workspace_;
  };

  // What all runs over the sentences of a call need of them, on one thread.
  void gather(Workspace& workspace, const Call& call) const {
    if (call.listed == 0) return;
    for (const auto& operation : operations_) operation->gather(call, workspace);
  }

  // Room for a run, on one thread.
  void prepare(Workspace& workspace, const Call& call, int threads) const {
    for (int i = static_cast<int>(workspace.buffers.size()); i < widths_.size(); ++i)
      workspace.buffers.emplace_back(static_cast<int>(widths_[i]));
    for (int i = 0; i < widths_.size(); ++i)
      workspace.buffers[i].ensure(passes_.room(i, rows_of(call, widths_.block(i)), threads));
    if (static_cast<int>(workspace.team.size()) < threads) workspace.team.resize(threads);
    workspace.carried.resize(operations_.size());
    for (const Pass& pass : passes_.all()) {
      workspace.at_once = pass.rows(rows_of(call, pass.block), threads);
      for (const Stage& stage : pass.stages)
        for (int i = stage.begin; i < stage.end; ++i) prepare(*operations_[i], workspace, call);
    }
  }

  // One thread's share of a run; all threads of ``pool``'s team call it.
  void share(Workspace& workspace, Pool& pool, const Call& call, int thread) const {
    Context context{call,           pool,
                    workspace.buffers, workspace.converted,
                    workspace.masses, workspace.team, workspace.carried,
                    workspace.shortlists.get(),
                    workspace.team[thread], thread, pool.team()};
    for (const Pass& pass : passes_.all()) {
      const int64_t all = rows_of(call, pass.block), some = pass.rows(all, pool.team());
      if (some < all) {
        go_over(pass, some, context, workspace);
        continue;
      }
      context.rows = {0, all};
      context.chunk = 0;
      for (const Stage& stage : pass.stages) run(stage, context);
    }
  }

  // What was admitted.
  void run(Pool& pool, const Call& call) {
    const Lease workspace(*this);
    gather(*workspace, call);
    prepare(*workspace, call, pool.threads());
    pool.run([&](int thread) { share(*workspace, pool, call, thread); });
  }

 private:
  static int64_t rows_of(const Call& call, int block) {
    return block == 1 ? call.rows : call.blocks(block);
  }

  // The one block of all buffers; only what takes rows as they come knows others than single positions.
  int block_of(const Habits& habits) const {
    int block = 0;
    for (const Touch& touch : habits.touches.all()) {
      const int own = widths_.block(touch.buffer);
      require(block == 0 || own == block, Fault::kOperation);
      block = own;
    }
    require(block <= 1 || habits.order == Order::kAny, Fault::kOperation);
    return std::max(block, 1);
  }

  static void prepare(const Operation& operation, Workspace& workspace, const Call& call) {
    if (const Weight* weight = operation.multiplied())
      workspace.converted.prepare(*weight, workspace.at_once);
    operation.prepare(call, workspace);
  }

  void run(const Stage& stage, const Context& context) const {
    for (int i = stage.begin; i < stage.end; ++i) {
      operations_[i]->run(context);
      context.pool.barrier();
    }
  }

  // A pass ``some`` rows at a time. Thread 0 moves the buffers while the others wait.
  void go_over(const Pass& pass, int64_t some, Context& context, Workspace& workspace) const {
    const int64_t all = rows_of(context.call, pass.block);
    const auto move = [&](const auto& work) {
      if (context.thread == 0) work();
      context.pool.barrier();
    };
    context.chunk = 0;
    for (int64_t at = -pass.lead(); at < all; at += some, ++context.chunk) {
      move([&] { slide(pass, at, all, workspace); });
      for (const Stage& stage : pass.stages) {
        const int64_t begin = std::clamp<int64_t>(at + stage.lead, 0, all);
        const int64_t end = std::clamp<int64_t>(at + stage.lead + some, 0, all);
        if (begin == end) continue;
        const bool back = pass.order == Order::kBack;
        context.rows = back ? Range{all - end, all - begin} : Range{begin, end};
        move([&] {
          for (const int buffer : pass.passing) workspace.buffers[buffer].first = context.rows.begin;
        });
        run(stage, context);
      }
    }
    move([&] {
      for (const int buffer : pass.passing) workspace.buffers[buffer].first = 0;
      for (const Sliding& one : pass.sliding) workspace.buffers[one.buffer].first = 0;
    });
  }

  static void slide(const Pass& pass, int64_t at, int64_t all, Workspace& workspace) {
    for (const Sliding& one : pass.sliding) {
      Buffer& buffer = workspace.buffers[one.buffer];
      if (buffer.rows >= all) continue;
      buffer.slide(at + one.behind, std::min(all, at + one.ahead));
    }
  }

  std::unique_ptr<Workspace> take() {
    std::lock_guard<std::mutex> guard(lock_);
    if (!planned_) passes_ = Passes(habits_, strides_);  // once, whole: it takes all operations to know
    planned_ = true;
    if (free_.empty()) return std::make_unique<Workspace>();
    auto workspace = std::move(free_.back());
    free_.pop_back();
    return workspace;
  }

  void give(std::unique_ptr<Workspace> workspace) {
    std::lock_guard<std::mutex> guard(lock_);
    free_.push_back(std::move(workspace));
  }

  Widths widths_;
  std::vector<int> strides_;
  std::vector<std::unique_ptr<Operation>> operations_;
  std::vector<Habits> habits_;
  Passes passes_;
  bool planned_ = false;
  std::mutex lock_;
  std::vector<std::unique_ptr<Workspace>> free_;
};

}  // namespace transduce
