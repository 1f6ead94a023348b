// Operations on each row by itself: embeddings, positions, affine maps, norms, gates, cells.
#pragma once

#include "program.h"

namespace transduce {

enum class Activation : int { kNone = 0, kRelu = 1, kGelu = 2, kTanh = 3, kGeluTanh = 4, kSilu = 5, kElu1 = 6 };

inline Floats activate(Activation kind, const Floats& x) {
  switch (kind) {
    case Activation::kRelu: return x < Floats{} ? Floats{} : x;  // what is no number stays none
    case Activation::kGelu: return 0.5f * x * (1.0f + error_function(x * 0.70710678f));
    case Activation::kTanh: return hyperbolic_tangent(x);
    // 1 + tanh(y) = 2 · sigmoid(2y), here with y = sqrt(2 / pi) · (x + 0.044715 · x³)
    case Activation::kGeluTanh:
      return x * sigmoid(1.59576912f * (x + 0.044715f * x * x * x));
    case Activation::kSilu: return x * sigmoid(x);
    case Activation::kElu1: return x < Floats{} ? exponential(x) : x + 1.0f;  // elu(x) + 1
    default: return x;
  }
}

inline bool known(Activation kind) { return kind >= Activation::kNone && kind <= Activation::kElu1; }

// out[n] = scale · table[tokens[n]], the table [symbols, W]
struct Embed : Operation {
  int out, tokens;
  int64_t symbols;
  Numbers table;
  float scale;

  Embed(int out, int tokens, int64_t symbols, Numbers table, float scale)
      : out(out), tokens(tokens), symbols(symbols), table(table), scale(scale) {}

  void fits(const Widths& widths) override {
    require(symbols > 0 && std::isfinite(scale), Fault::kOperation);
    require(table.count == product({symbols, widths[out]}), Fault::kOperation);
    require(table.holds(table.count), Fault::kNumbers);
  }

  void admit(const Call& call) const override {
    call.within<int64_t>(tokens, call.rows, 0, symbols);
  }

  void need(Needs& needs) const override { needs.symbols = std::min(needs.symbols, symbols); }

  Order order() const override { return Order::kAny; }

  void touch(Touches& touches) const override { touches.writes(out); }

  void run(const Context& at) const override {
    const Buffer& to = at.buffer(out);
    const int64_t* read = at.tensor<int64_t>(tokens);
    const Share rows = at.own_rows();
    for (int64_t row = rows.begin; row < rows.end; ++row) {
      const float* from = table.values + read[row] * to.width;
      for (int i = 0; i < to.width; ++i) to.row(row)[i] = scale * from[i];
    }
  }
};

// out[n] += table[t] for a step of a decoder; out[b·S + s] += table[s] for a whole source.
struct AddPositions : Operation {
  int out, table;
  bool step;

  AddPositions(int out, int table, bool step) : out(out), table(table), step(step) {}

  void fits(const Widths& widths) override { width_ = widths[out]; }

  void admit(const Call& call) const override {
    if (!step) require(call.source > 0 && call.rows % call.source == 0, Fault::kSizes);
    call.room(table, {step ? call.position + 1 : call.source, width_}, sizeof(float));
  }

  Order order() const override { return Order::kAny; }

  void touch(Touches& touches) const override { touches.changes(out); }

  void run(const Context& at) const override {
    const Buffer& to = at.buffer(out);
    const Share rows = at.own_rows();
    for (int64_t row = rows.begin; row < rows.end; ++row) {
      const int64_t position = step ? at.call.position : row % at.call.source;
      add_scaled(to.row(row), at.tensor<float>(table) + position * to.width, 1.0f, to.width);
    }
  }

 private:
  int64_t width_ = 0;
};

// out = f(in · W + b), or out += f(in · W + b)
struct Linear : Operation {
  int in, out;
  const Weight* weight;
  Activation activation;
  bool accumulate;

  Linear(int in, int out, const Weight* weight, Activation activation, bool accumulate)
      : in(in), out(out), weight(weight), activation(activation), accumulate(accumulate) {}

  const Weight* multiplied() const override { return weight; }

  void fits(const Widths& widths) override {
    require(weight != nullptr && in != out && known(activation), Fault::kOperation);
    require(weight->depth == widths[in] && weight->columns == widths[out], Fault::kOperation);
  }

  void admit(const Call&) const override {}

  Order order() const override { return Order::kAny; }

  void touch(Touches& touches) const override {
    touches.reads(in);
    accumulate ? touches.changes(out) : touches.writes(out);
  }

  void run(const Context& at) const override {
    const Buffer& from = at.buffer(in);
    const Buffer& to = at.buffer(out);
    const int rows = static_cast<int>(at.rows.size());
    float* const start = to.row(at.rows.begin);
    at.convert(*weight, from);
    share_panels(*weight, rows, at.thread, at.threads, [&](int panel, int first, int last) {
      const int column = panel * kPanel, width = std::min(kPanel, to.width - column);
      if (in_bytes(weight->number) && width == kPanel)
        return write_panel(panel, at.converted, first, last, start, to.stride);
      multiply_rows(*weight, panel, from.row(at.rows.begin), from.stride, at.converted, first, last,
                    [&](int row, int count, const float* tile) {
                      for (int r = 0; r < count; ++r)
                        finish(tile + r * kPanel, start + (row + r) * to.stride + column, width);
                    });
    });
  }

 private:
  // A whole panel in int8 or int4, straight from the registers to where it goes.
  void write_panel(int panel, const Activations& converted, int first, int last, float* to,
                   int64_t stride) const {
    float* const start = to + panel * kPanel;
    const auto put = [&](const auto& value_at) {
      multiply_rows8(*weight, panel, converted, first, last,
                     [&](int64_t row, int column, const Floats& value) {
                       float* place = start + row * stride + column;
                       store(place, value_at(place, value));
                     });
    };
    if (activation == Activation::kNone && accumulate)
      put([](const float* place, const Floats& value) { return load(place) + value; });
    else if (activation == Activation::kNone)
      put([](const float*, const Floats& value) { return value; });
    else
      put([&](const float* place, const Floats& value) {
        const Floats active = activate(activation, value);
        return accumulate ? load(place) + active : active;
      });
  }

  void finish(const float* tile, float* to, int width) const {
    int i = 0;
    for (; i + kLanes <= width; i += kLanes) {
      const Floats value = activate(activation, load(tile + i));
      store(to + i, accumulate ? load(to + i) + value : value);
    }
    if (i == width) return;
    float rest[kLanes];
    store(rest, activate(activation, load(tile + i)));
    for (int lane = 0; i < width; ++i, ++lane) to[i] = accumulate ? to[i] + rest[lane] : rest[lane];
  }
};

// LayerNorm (Ba et al. 2016) or RMSNorm (Zhang & Sennrich 2019) of each row.
struct Norm : Operation {
  int in, out;
  Numbers weights, biases;  // the second may be none
  float epsilon;
  bool centred;

  Norm(int in, int out, Numbers weights, Numbers biases, float epsilon, bool centred)
      : in(in), out(out), weights(weights), biases(biases), epsilon(epsilon), centred(centred) {}

  void fits(const Widths& widths) override {
    require(widths[in] == widths[out] && std::isfinite(epsilon), Fault::kOperation);
    require(weights.count == widths[in], Fault::kOperation);
    require(weights.holds(widths[in]), Fault::kNumbers);
    if (biases.values == nullptr) return;
    require(biases.count == widths[in], Fault::kOperation);
    require(biases.holds(widths[in]), Fault::kNumbers);
  }

  void admit(const Call&) const override {}

  Order order() const override { return Order::kAny; }

  void touch(Touches& touches) const override {
    if (in == out) return touches.changes(out);
    touches.reads(in);
    touches.writes(out);
  }

  void run(const Context& at) const override {
    const Share rows = at.own_rows();
    for (int64_t row = rows.begin; row < rows.end; ++row)
      normalize(at.buffer(in).row(row), at.buffer(out).row(row), at.buffer(in).width);
  }

 private:
  // Σ of what is there for 16 places, or for one; four sums, since one would wait for itself.
  template <class Many, class One>
  static float total(int width, const Many& many, const One& one) {
    Floats totals[4] = {};
    int i = 0;
    for (; i + 4 * kLanes <= width; i += 4 * kLanes)
      for (int j = 0; j < 4; ++j) totals[j] += many(i + j * kLanes);
    for (; i + kLanes <= width; i += kLanes) totals[0] += many(i);
    float all = sum((totals[0] + totals[1]) + (totals[2] + totals[3]));
    for (; i < width; ++i) all += one(i);
    return all;
  }

  void normalize(const float* from, float* to, int width) const {
    const float *weight = weights.values, *bias = biases.values;
    const float mean = centred ? total(width, [&](int i) { return load(from + i); },
                                       [&](int i) { return from[i]; }) / width
                               : 0.0f;
    const float squares = total(
        width,
        [&](int i) {
          const Floats distance = load(from + i) - mean;
          return distance * distance;
        },
        [&](int i) { return (from[i] - mean) * (from[i] - mean); });
    const float scale = 1.0f / std::sqrt(squares / width + epsilon);
    int i = 0;
    for (; i + kLanes <= width; i += kLanes) {
      Floats value = (load(from + i) - mean) * scale * load(weight + i);
      if (bias != nullptr) value += load(bias + i);
      store(to + i, value);
    }
    for (; i < width; ++i)
      to[i] = (from[i] - mean) * scale * weight[i] + (bias == nullptr ? 0.0f : bias[i]);
  }
};

// out = f(in[:, W:]) ⊙ in[:, :W] (Shazeer 2020, eq. 6)
struct Gate : Operation {
  int in, out;
  Activation activation;

  Gate(int in, int out, Activation activation) : in(in), out(out), activation(activation) {}

  void fits(const Widths& widths) override {
    require(widths[in] == 2 * widths[out] && known(activation), Fault::kOperation);
  }

  void admit(const Call&) const override {}

  Order order() const override { return Order::kAny; }

  void touch(Touches& touches) const override {
    touches.reads(in);
    touches.writes(out);
  }

  void run(const Context& at) const override {
    const int width = at.buffer(out).width;
    const Share rows = at.own_rows();
    for (int64_t row = rows.begin; row < rows.end; ++row) {
      const float *inner = at.buffer(in).row(row), *gate = inner + width;
      float* to = at.buffer(out).row(row);
      int i = 0;
      for (; i + kLanes <= width; i += kLanes) {
        store(to + i, activate(activation, load(gate + i)) * load(inner + i));
      }
      if (i == width) continue;
      float rest[kLanes] = {};
      std::memcpy(rest, gate + i, sizeof(float) * (width - i));
      store(rest, activate(activation, load(rest)));
      for (int lane = 0; i < width; ++i, ++lane) to[i] = rest[lane] * inner[i];
    }
  }
};

// out[:, offset : offset + width] = in
struct Place : Operation {
  int in, out, offset;

  Place(int in, int out, int offset) : in(in), out(out), offset(offset) {}

  void fits(const Widths& widths) override {
    require(in != out && offset >= 0 && offset + widths[in] <= widths[out], Fault::kOperation);
    whole_ = widths[in] == widths[out];
  }

  void admit(const Call&) const override {}

  Order order() const override { return Order::kAny; }

  void touch(Touches& touches) const override {
    touches.reads(in);
    whole_ ? touches.writes(out) : touches.changes(out);
  }

  void run(const Context& at) const override {
    const Buffer& from = at.buffer(in);
    const Share rows = at.own_rows();
    for (int64_t row = rows.begin; row < rows.end; ++row)
      write(at.buffer(out).row(row) + offset, from.row(row), from.width);
  }

 private:
  bool whole_ = false;
};

// The mean of the real rows [B·S, W] of each sentence to a tensor [B, W], added up one by one: neither
// padding nor neighbours change a bit of it.
struct Mean : Operation {
  int in, lengths, out;

  Mean(int in, int lengths, int out) : in(in), lengths(lengths), out(out) {}

  void fits(const Widths& widths) override { width_ = widths[in]; }

  void admit(const Call& call) const override {
    call.of_sources(lengths, 1);
    call.room(out, {call.sentences, width_}, sizeof(float));
  }

  Order order() const override { return Order::kOnwards; }

  void touch(Touches& touches) const override { touches.reads(in); }

  void run(const Context& at) const override {
    const Share columns = at.share(width_);
    const int width = static_cast<int>(columns.end - columns.begin);
    for (int64_t row = at.rows.begin; row < at.rows.end; ++row) {
      const int64_t b = row / at.call.source, s = row % at.call.source;
      const int64_t count = at.tensor<int64_t>(lengths)[b];
      if (s >= count) continue;
      float* to = at.tensor<float>(out) + b * width_ + columns.begin;
      if (s == 0) std::fill_n(to, width, 0.0f);
      add_scaled(to, at.buffer(in).row(row) + columns.begin, 1.0f, width);
      if (s + 1 < count) continue;
      for (int i = 0; i < width; ++i) to[i] /= static_cast<float>(count);
    }
  }

 private:
  int64_t width_ = 0;
};

// Between a buffer [N, W] and a tensor [N, stride], at column ``offset``; a tensor to write that is not
// given is not wanted.
struct Move : Operation {
  int buffer, tensor, offset, stride;
  bool in;

  Move(int buffer, int tensor, int offset, int stride, bool in)
      : buffer(buffer), tensor(tensor), offset(offset), stride(stride), in(in) {}

  void fits(const Widths& widths) override {
    require(offset >= 0 && offset + widths[buffer] <= stride, Fault::kOperation);
  }

  void admit(const Call& call) const override {
    if (in || call.gives(tensor)) call.room(tensor, {call.rows, stride}, sizeof(float));
  }

  Order order() const override { return Order::kAny; }

  void touch(Touches& touches) const override { in ? touches.writes(buffer) : touches.reads(buffer); }

  void run(const Context& at) const override {
    if (at.call.tensors[tensor].memory == nullptr) return;
    const Buffer& own = at.buffer(buffer);
    const Share rows = at.own_rows();
    for (int64_t row = rows.begin; row < rows.end; ++row) {
      float* other = at.tensor<float>(tensor) + row * stride + offset;
      in ? write(own.row(row), other, own.width) : write(other, own.row(row), own.width);
    }
  }
};

enum class CellKind : int { kRnn = 0, kLstm = 1, kGru = 2 };

inline int gates(CellKind kind) {
  require(kind >= CellKind::kRnn && kind <= CellKind::kGru, Fault::kOperation);
  return kind == CellKind::kRnn ? 1 : kind == CellKind::kLstm ? 4 : 3;
}

// One step of one row of a recurrent cell from its sums: ``x`` W x + b and ``u`` U h + b' (for rnn and
// lstm the same numbers, the sum of both). ``h`` and ``c`` [W] change in place.
class CellStep {
 public:
  static void run(CellKind kind, const float* x, const float* u, float* h, float* c, int width) {
    for (int i = 0; i < width; i += kLanes) step(kind, x, u, h, c, i, width);
  }

 private:
  // Rows end in room for a whole vector, but gates begin anywhere: the last vector goes by pieces.
  static Floats piece(const float* from, int i, int width) {
    return load_some(from + i, width - i);
  }

  static void put(float* to, const Floats& value, int i, int width) {
    store_some(to + i, value, width - i);
  }

  static void step(CellKind kind, const float* x, const float* u, float* h, float* c, int i,
                   int width) {
    const auto gate = [&](const float* from, int number) {
      return piece(from + number * width, i, width);
    };
    switch (kind) {
      case CellKind::kRnn:
        return put(h, hyperbolic_tangent(gate(x, 0)), i, width);
      case CellKind::kLstm: {
        const Floats keep = sigmoid(gate(x, 1)) * piece(c, i, width);
        const Floats value = keep + sigmoid(gate(x, 0)) * hyperbolic_tangent(gate(x, 2));
        put(c, value, i, width);
        return put(h, sigmoid(gate(x, 3)) * hyperbolic_tangent(value), i, width);
      }
      case CellKind::kGru: {
        const Floats reset = sigmoid(gate(x, 0) + gate(u, 0));
        const Floats update = sigmoid(gate(x, 1) + gate(u, 1));
        const Floats fresh = hyperbolic_tangent(gate(x, 2) + reset * gate(u, 2));
        return put(h, (1.0f - update) * fresh + update * piece(h, i, width), i, width);
      }
    }
  }
};

// One step of every row; see CellStep for the buffers.
struct Cell : Operation {
  CellKind kind;
  int input, recurrent, hidden, cell;

  Cell(CellKind kind, int input, int recurrent, int hidden, int cell)
      : kind(kind), input(input), recurrent(recurrent), hidden(hidden), cell(cell) {}

  void fits(const Widths& widths) override {
    const int64_t sums = gates(kind) * widths[hidden];
    require(widths[input] == sums && widths[recurrent] == sums, Fault::kOperation);
    require(widths[cell] == widths[hidden], Fault::kOperation);
  }

  void admit(const Call&) const override {}

  void touch(Touches& touches) const override {
    touches.reads(input);
    touches.reads(recurrent);
    touches.changes(hidden);
    touches.changes(cell);
  }

  void run(const Context& at) const override {
    const Share rows = at.share(at.call.rows);
    const int width = at.buffer(hidden).width;
    for (int64_t row = rows.begin; row < rows.end; ++row) {
      const float* x = at.buffer(input).row(row);
      const float* u = at.buffer(recurrent).row(row);
      float* h = at.buffer(hidden).row(row);
      float* c = kind == CellKind::kLstm ? at.buffer(cell).row(row) : nullptr;
      CellStep::run(kind, x, u, h, c, width);
    }
  }
};

}  // namespace transduce
