// What a whole search is told, and what is checked of it before its first step.
#pragma once

#include "lane.h"
#include "program.h"

namespace transduce {

// A tensor that each row carries from step to step, [B, bytes] before the first.
struct RowTensor {
  int64_t tensor, bytes;
};

// Which tensors of the program a search gives itself.
struct Slots {
  int64_t tokens, scores, chosen, logits, table, cache;  // numbers of tensors; -1: not there
  int64_t positions;  // that the model knows
  int64_t row_count;
  const RowTensor* rows;  // [row_count]
};

// Where outputs go: [B, nbest, length] or [B, nbest].
struct Found {
  int64_t sentences, nbest;
  int64_t length;  // room for tokens, END among the scores
  int64_t room;    // of all outputs together
  int64_t* tokens;
  float* token_scores;
  int64_t* lengths;  // tokens; -1 where there is no such output
  double* scores;
  uint8_t* finished;
};

// Throws Refused where what a search is told is wrong, or would be at some step.
inline void admit_search(const Program& program, const Call& call, const Plan& plan,
                         const Slots& slots, const Found& found) {
  call.check();
  const Needs needs = program.needs();
  require(needs.vocabulary > 0 && needs.vocabulary <= needs.symbols, Fault::kSizes);
  require(plan.sentences == call.sentences && call.rows == call.sentences, Fault::kSizes);
  plan.check(needs.vocabulary);
  require(found.sentences == call.sentences && found.nbest == plan.nbest, Fault::kSizes);
  require(found.length > plan.longest() && slots.positions > 0, Fault::kSizes);
  require(found.room == product({found.sentences, found.nbest, found.length}), Fault::kSizes);
  require(needs.planes.empty() || (slots.cache >= 0 && slots.table >= 0), Fault::kSizes);
  const int64_t most = product({call.sentences, plan.beam});
  std::vector<Given> tensors(call.tensors, call.tensors + call.tensor_count);
  for (const int64_t own : {slots.tokens, slots.scores, slots.chosen, slots.logits, slots.table,
                            slots.cache}) {
    require(own < call.tensor_count, Fault::kSizes);
    if (own >= 0) tensors[own] = {nullptr, Given::kOwn};
  }
  require(slots.row_count >= 0 && slots.row_count <= call.tensor_count, Fault::kSizes);
  for (int64_t i = 0; i < slots.row_count; ++i) {
    const RowTensor& row = slots.rows[i];
    require(row.tensor >= 0 && row.tensor < call.tensor_count && row.bytes > 0, Fault::kSizes);
    require(call.tensors[row.tensor].memory != nullptr, Fault::kSizes);
    require(call.tensors[row.tensor].bytes == product({call.sentences, row.bytes}), Fault::kSizes);
    tensors[row.tensor] = {nullptr, product({most, row.bytes})};  // what it will be copied into
  }
  Call last = call;  // as large as it may become
  last.tensors = tensors.data();
  last.rows = last.capacity = most;
  last.position = std::min(plan.longest(), slots.positions - 1);
  last.ancestry = last.position + 1;
  for (last.candidates = 0; last.candidates < 2; ++last.candidates)
    if (last.candidates == 1 || plan.prefix_length > 0) program.admit(last);
}

}  // namespace transduce
