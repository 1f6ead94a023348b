// Rows of a table that is packed: the same memory may multiply as the map to the vocabulary.
#pragma once

#include "program.h"

namespace transduce {

// out[n] = scale · table[tokens[n]]
struct PackedEmbed : Operation {
  int out, tokens;
  const Weight* table;
  float scale;

  PackedEmbed(int out, int tokens, const Weight* table, float scale)
      : out(out), tokens(tokens), table(table), scale(scale) {}

  void fits(const Widths& widths) override {
    require(table != nullptr && std::isfinite(scale), Fault::kOperation);
    require(table->number != Number::kFloat32 && table->depth == widths[out], Fault::kOperation);
  }

  void admit(const Call& call) const override {
    call.within<int64_t>(tokens, call.rows, 0, table->columns);
  }

  void need(Needs& needs) const override {
    needs.symbols = std::min<int64_t>(needs.symbols, table->columns);
  }

  Order order() const override { return Order::kAny; }

  void touch(Touches& touches) const override { touches.writes(out); }

  void run(const Context& at) const override {
    const Buffer& to = at.buffer(out);
    const int64_t* read = at.tensor<int64_t>(tokens);
    const Share rows = at.own_rows();
    for (int64_t row = rows.begin; row < rows.end; ++row)
      table->unpack(static_cast<int>(read[row]), scale, to.row(row));
  }
};

}  // namespace transduce
