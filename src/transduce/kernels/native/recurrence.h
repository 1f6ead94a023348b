// A recurrent layer over whole sources, in one direction.
#pragma once

#include "layers.h"

namespace transduce {

// From the input sums W x + b [B·S, G·D] to hidden states [B·S, ≥ offset + D], zero at padding; the
// states after the last position of each source go to ``last`` [B, stride] at ``last_offset``.
// ``reversed`` reads each source from its own end. Each thread takes sources of its own from
// beginning to end, so that none waits for another between positions.
struct Recurrence : Operation {
  CellKind kind;
  int sums, out, offset, lengths, last, last_offset, last_stride;
  const Weight* recurrent;  // U with b'
  bool reversed;

  Recurrence(CellKind kind, int sums, const Weight* recurrent, int out, int offset, int lengths,
             int last, int last_offset, int last_stride, bool reversed)
      : kind(kind), sums(sums), out(out), offset(offset), lengths(lengths), last(last),
        last_offset(last_offset), last_stride(last_stride), recurrent(recurrent),
        reversed(reversed) {}

  void fits(const Widths& widths) override {
    require(recurrent != nullptr && sums != out, Fault::kOperation);
    const int64_t width = recurrent->depth, all = gates(kind) * width;
    require(recurrent->columns == all && widths[sums] == all, Fault::kOperation);
    require(offset >= 0 && offset + width <= widths[out], Fault::kOperation);
    require(last_offset >= 0 && last_offset + width <= last_stride, Fault::kOperation);
  }

  void admit(const Call& call) const override {
    call.of_sources(lengths, 1);
    call.room(last, {call.sentences, last_stride}, sizeof(float));
  }

  void prepare(const Call& call, Workspace& workspace) const override {
    const int64_t threads = static_cast<int64_t>(workspace.team.size());
    for (Scratch& own : workspace.team)
      begin(own.recurrent, static_cast<int>((call.sentences + threads - 1) / threads));
  }

  void touch(Touches& touches) const override {
    touches.reads(sums);
    touches.changes(out);
  }

  void run(const Context& at) const override {
    const Share share = at.share(at.call.sentences);
    const int count = static_cast<int>(share.end - share.begin);
    if (count == 0) return;
    RecurrentRows& own = at.scratch.recurrent;
    const int width = recurrent->depth, stride = round_up(width, kLanes);
    begin(own, count);
    const int64_t* known = at.tensor<int64_t>(lengths) + share.begin;
    const int longest = static_cast<int>(*std::max_element(known, known + count));
    clear_padding(at, share, known, width);
    for (int step = 0; step < longest; ++step) {
      multiply(own, count, stride);
      for (int row = 0; row < count; ++row) {
        if (step >= known[row]) continue;
        const int64_t position = reversed ? known[row] - 1 - step : step;
        advance(at, own, row, (share.begin + row) * at.call.source + position, stride, width);
      }
    }
    float* states = at.tensor<float>(last) + share.begin * last_stride + last_offset;
    for (int row = 0; row < count; ++row)
      write(states + int64_t{row} * last_stride, own.hidden.data() + int64_t{row} * stride, width);
  }

 private:
  void begin(RecurrentRows& own, int count) const {
    const int64_t stride = round_up(recurrent->depth, kLanes);
    own.hidden.assign(count * stride, 0.0f);
    own.cell.assign(count * stride, 0.0f);
    Scratch::sized(own.sums, int64_t{count} * recurrent->panels * kPanel);
    own.converted.prepare(*recurrent, count);
  }

  void clear_padding(const Context& at, const Share& share, const int64_t* known, int width) const {
    for (int64_t sentence = share.begin; sentence < share.end; ++sentence)
      for (int64_t s = known[sentence - share.begin]; s < at.call.source; ++s)
        std::fill_n(at.buffer(out).row(sentence * at.call.source + s) + offset, width, 0.0f);
  }

  void multiply(RecurrentRows& own, int count, int stride) const {
    const float* hidden = own.hidden.data();
    own.converted.convert(*recurrent, hidden, stride, Share(count, 0, 1));
    const int columns = recurrent->panels * kPanel;
    multiply_share(*recurrent, hidden, stride, own.converted, count, 0, 1,
                   [&](int row, int rows, int panel, const float* tile) {
                     for (int r = 0; r < rows; ++r)
                       write(own.sums.data() + int64_t{row + r} * columns + panel * kPanel,
                             tile + r * kPanel, kPanel);
                   });
  }

  void advance(const Context& at, RecurrentRows& own, int row, int64_t place, int stride,
               int width) const {
    const float* x = at.buffer(sums).row(place);
    float* u = own.sums.data() + int64_t{row} * recurrent->panels * kPanel;
    float* h = own.hidden.data() + int64_t{row} * stride;
    float* c = own.cell.data() + int64_t{row} * stride;
    if (kind != CellKind::kGru) {
      add_scaled(u, x, 1.0f, recurrent->columns);
      x = u;
    }
    CellStep::run(kind, x, u, h, c, width);
    write(at.buffer(out).row(place) + offset, h, width);
  }
};

}  // namespace transduce
