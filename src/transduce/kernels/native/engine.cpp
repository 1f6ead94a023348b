// The C interface: weights, programs, runs. Every function that can fail gives a Fault, of which
// transduce_report tells more.
#include "attention.h"
#include "block_means.h"
#include "convolution.h"
#include "copy.h"
#include "ctc.h"
#include "embedding.h"
#include "guard.h"
#include "layers.h"
#include "linear_attention.h"
#include "loss.h"
#include "lstm.h"
#include "memory.h"
#include "recurrence.h"
#include "rounding.h"
#include "scan.h"
#include "search.h"
#include "selective_scan.h"
#include "simple_recurrence.h"
#include "source_attention.h"
#include "source_scan.h"
#include "state_space.h"
#include "vocabulary.h"

namespace transduce {
namespace {

// ``call`` of every thread with its share of the sentences, whole tiles of rows.
template <class Call>
void share_sentences(int threads, int64_t sentences, const Call& call) {
  const std::shared_ptr<Pool> pool = pool_of(threads);
  pool->run([&](int thread) {
    Share share((sentences + kTileRows - 1) / kTileRows, thread, pool->team());
    share.begin = std::min(share.begin * kTileRows, sentences);
    share.end = std::min(share.end * kTileRows, sentences);
    call(share, thread, *pool);
  });
}

template <class Stored>
LstmTape<Stored> tape_of(void* const* tape) {
  return {static_cast<Stored*>(tape[0]), static_cast<Stored*>(tape[1]),
          static_cast<float*>(tape[2]), static_cast<const float*>(tape[3])};
}

template <class Stored>
void run_lstm(int threads, const LstmSize& size, const float* const* parameters, void* const* tape) {
  LstmAhead<Stored> weights(size);
  const LstmTape<Stored> own = tape_of<Stored>(tape);
  share_sentences(threads, size.sentences, [&](Share rows, int thread, Pool& pool) {
    weights.pack(parameters, Share(size.blocks(), thread, pool.team()));
    pool.barrier();
    lstm_forward(weights, own, static_cast<Stored*>(tape[4]), rows);
  });
}

template <class Stored>
void run_lstm_back(int threads, const LstmSize& size, const float* const* parameters,
                   void* const* tape, void* const* gradients) {
  LstmBack<Stored> weights(size);
  const LstmTape<Stored> own = tape_of<Stored>(tape);
  const LstmGradients<Stored> to{
      static_cast<const Stored*>(gradients[0]), static_cast<Stored*>(gradients[1]),
      static_cast<Stored*>(gradients[2]), static_cast<float*>(gradients[3]),
      static_cast<float*>(gradients[4]), static_cast<float*>(gradients[5])};
  share_sentences(threads, size.sentences, [&](Share rows, int thread, Pool& pool) {
    weights.pack(parameters, Share(kGates * size.blocks(), thread, pool.team()));
    pool.barrier();
    lstm_backward(weights, own, to, rows, thread);
  });
}

// Into how many groups the sentences of a search are shared out: so many that a thread which another
// program holds up takes fewer, so few that a group's rows still make whole products.
constexpr int64_t kGroupsEach = 4, kLeastGroup = 16;

int64_t search_groups(int threads, int64_t sentences) {
  if (threads == 1) return 1;
  const int64_t fair = std::min<int64_t>(threads, sentences);
  return std::max(fair, std::min<int64_t>(threads * kGroupsEach, sentences / kLeastGroup));
}

template <class Op, class... Arguments>
int add(void* program, Arguments... arguments) {
  return guarded([&] {
    static_cast<Program*>(program)->add(std::make_unique<Op>(arguments...));
  });
}

// The same for what stores bfloat16, or float32.
template <template <class> class Op, class Half, class Float, class... Arguments>
int add_stored(int half, void* program, Arguments... arguments) {
  return half ? add<Op<Half>>(program, arguments...) : add<Op<Float>>(program, arguments...);
}

}  // namespace
}  // namespace transduce

using namespace transduce;

extern "C" {

// Whether int8 products were compiled as instructions.
int transduce_multiplies_int8() { return TRANSDUCE_INT8 != 0; }

// Before the first run: functions of the OpenMP runtime whose threads to use.
void transduce_use_openmp(void* parallel, void* thread, void* threads) {
  OpenMp& functions = open_mp();
  functions.thread = reinterpret_cast<int (*)()>(thread);
  functions.threads = reinterpret_cast<int (*)()>(threads);
  functions.parallel =
      reinterpret_cast<void (*)(void (*)(void*), void*, unsigned, unsigned)>(parallel);
}

void transduce_report(Report* to) { *to = the_report; }

int transduce_weight(int number, Numbers weight, Numbers bias, int columns, int depth, float padding,
                     void** to) {
  return guarded([&] {
    *to = new Weight(static_cast<Number>(number), weight, bias, columns, depth, padding);
  });
}

int transduce_weight_of_codes(Given codes, Numbers units, Numbers bias, int columns, int depth,
                              float padding, void** to) {
  return guarded([&] { *to = new Weight(codes, units, bias, columns, depth, padding); });
}

int transduce_weight_of_groups(Given codes, Given units, Numbers levels, Numbers bias, int columns,
                               int depth, float padding, void** to) {
  return guarded([&] { *to = new Weight(codes, units, levels, bias, columns, depth, padding); });
}

void transduce_free_weight(void* weight) { delete static_cast<Weight*>(weight); }

void* transduce_program() { return new (std::nothrow) Program(); }

void transduce_free_program(void* program) { delete static_cast<Program*>(program); }

int transduce_buffer(void* program, int width, int block, int* to) {
  return guarded([&] { *to = static_cast<Program*>(program)->add_buffer(width, block); });
}

int transduce_embed(void* program, int out, int tokens, int64_t symbols, Numbers table, float scale) {
  return add<Embed>(program, out, tokens, symbols, table, scale);
}

int transduce_packed_embed(void* program, int out, int tokens, const void* table, float scale) {
  return add<PackedEmbed>(program, out, tokens, static_cast<const Weight*>(table), scale);
}

int transduce_positions(void* program, int out, int table, int step) {
  return add<AddPositions>(program, out, table, step != 0);
}

int transduce_linear(void* program, int in, int out, const void* weight, int activation,
                     int accumulate) {
  return add<Linear>(program, in, out, static_cast<const Weight*>(weight),
                     static_cast<Activation>(activation), accumulate != 0);
}

int transduce_norm(void* program, int in, int out, Numbers weight, Numbers bias, float epsilon,
                   int centred) {
  return add<Norm>(program, in, out, weight, bias, epsilon, centred != 0);
}

int transduce_gate(void* program, int in, int out, int activation) {
  return add<Gate>(program, in, out, static_cast<Activation>(activation));
}

int transduce_place(void* program, int in, int out, int offset) {
  return add<Place>(program, in, out, offset);
}

int transduce_mean(void* program, int in, int lengths, int out) {
  return add<Mean>(program, in, lengths, out);
}

int transduce_block_means(void* program, int in, int out, int lengths) {
  return add<BlockMeans>(program, in, out, lengths);
}

int transduce_move(void* program, int buffer, int tensor, int offset, int stride, int in) {
  return add<Move>(program, buffer, tensor, offset, stride, in != 0);
}

int transduce_cell(void* program, int kind, int input, int recurrent, int hidden, int cell) {
  return add<Cell>(program, static_cast<CellKind>(kind), input, recurrent, hidden, cell);
}

int transduce_recurrence(void* program, int kind, int sums, const void* recurrent, int out,
                         int offset, int lengths, int last, int last_offset, int last_stride,
                         int reversed) {
  return add<Recurrence>(program, static_cast<CellKind>(kind), sums,
                         static_cast<const Weight*>(recurrent), out, offset, lengths, last,
                         last_offset, last_stride, reversed != 0);
}

int transduce_simple_recurrence(void* program, int sums, int out, int cells, int offset, int stride,
                                int rectified) {
  return add<SimpleRecurrence>(program, sums, out, cells, offset, stride, rectified != 0);
}

int transduce_source_scan(void* program, int sums, int out, int lengths) {
  return guarded([&] {
    Program& to = *static_cast<Program*>(program);
    const int64_t width = to.width(out);
    require(sums != out && to.width(sums) == 2 * width && width % 2 == 0, Fault::kOperation);
    const int kept = to.add_buffer(static_cast<int>(width / 2 * 3));
    to.add(std::make_unique<DirectedScan<true>>(sums, kept, lengths));
    to.add(std::make_unique<DirectedScan<false>>(kept, out, lengths));
  });
}

int transduce_key_value_sums(void* program, int keys, int values, int out, int lengths, int pairs,
                             int width) {
  return add<KeyValueSums>(program, keys, values, out, lengths, pairs, width);
}

int transduce_linear_attention(void* program, int queries, int sums, int out, int lengths, int heads,
                               int pairs, int width) {
  return add<LinearAttention>(program, queries, sums, out, lengths, heads, pairs, width);
}

int transduce_source_convolution(void* program, int in, int out, int lengths, Numbers taps,
                                 Numbers biases) {
  return add<SourceConvolution>(program, in, out, lengths, taps, biases);
}

int transduce_state_space_back(void* program, int values, int steps, int selection, int out,
                               int lengths, Numbers decay) {
  const StateSpaceBuffers buffers{values, steps, selection, out, out, out};
  return add<StateSpaceScan<true>>(program, buffers, lengths, decay, Numbers{nullptr, 0});
}

int transduce_state_space_onwards(void* program, int values, int steps, int selection, int back,
                                  int gate, int out, int lengths, Numbers decay, Numbers skip) {
  const StateSpaceBuffers buffers{values, steps, selection, back, gate, out};
  return add<StateSpaceScan<false>>(program, buffers, lengths, decay, skip);
}

int transduce_ancestry_attention(void* program, int half, int in, int out, int before, int queries,
                                 int pairs, int width, int cache, int table, int cosines, int sines,
                                 int bias) {
  return add_stored<AncestryAttention, uint16_t, float>(half, program, in, out, before,
                                                        Heads{queries, pairs, width}, cache, table,
                                                        cosines, sines, bias);
}

int transduce_source_attention(void* program, int half, int in, int out, int queries, int pairs,
                               int width, int lengths, int cosines, int sines, int bias,
                               int window, int summaries) {
  const Heads heads{queries, pairs, width};
  return guarded([&] {
    heads.check();
    require((cosines < 0) == (sines < 0), Fault::kOperation);
    auto attention = std::make_unique<SourceAttention>(in, out, heads, lengths, bias, half != 0,
                                                       window, summaries);
    if (cosines >= 0) {
      auto turn = std::make_unique<SourceTurn>(in, queries + pairs, width, cosines, sines);
      static_cast<Program*>(program)->add(std::move(turn));
    }
    static_cast<Program*>(program)->add(std::move(attention));
  });
}

int transduce_windows(void* program, int frames, int counts, int room, int out, int kernel,
                      int stride, int kernel_down, int stride_down, int height) {
  return add<Windows>(program, frames, counts, room, out, Reach{kernel, stride},
                      Reach{kernel_down, stride_down}, height);
}

int transduce_store_memory(void* program, int half, int in, int offset, int tensor, int pairs,
                           int width, int keys) {
  return add_stored<StoreMemory, PairedMemory, FloatMemory>(half, program, in, offset, tensor,
                                                            Heads{pairs, pairs, width}, keys != 0);
}

int transduce_memory_attention(void* program, int half, int in, int out, int queries, int pairs,
                               int width, int value_width, int keys, int values, int lengths,
                               int weights, float factor, Numbers vector, int cosine) {
  const Look look{Heads{queries, pairs, width}, value_width, factor, vector, cosine != 0};
  return add_stored<MemoryAttention, PairedMemory, FloatMemory>(half, program, in, out, keys, values,
                                                                lengths, weights, look);
}

int transduce_vocabulary(void* program, int in, const void* weight, int logits, int scores,
                         int tokens, int shortlist, int unlisted, int end_token) {
  return add<Vocabulary>(program, in, static_cast<const Weight*>(weight), logits, scores, tokens,
                         shortlist, unlisted, end_token);
}

int transduce_copy(void* program, int gate, int attention, int symbols, int lengths, int logits,
                   int vocabulary) {
  return add<Copy>(program, gate, attention, symbols, lengths, logits, vocabulary);
}

int transduce_loss_rows(int half, int threads, const void* logits, int64_t rows, int64_t size,
                        float* normalizers, float* means) {
  return guarded([&] {
    check_rows(threads, rows, size);
    const std::shared_ptr<Pool> pool = pool_of(threads);
    pool->run([&](int thread) {
      const Share share(rows, thread, pool->team());
      half ? normalize_rows(static_cast<const uint16_t*>(logits), size, share, normalizers, means)
           : normalize_rows(static_cast<const float*>(logits), size, share, normalizers, means);
    });
  });
}

int transduce_loss_gradient(int half, int threads, const void* logits, const int64_t* targets,
                            const float* normalizers, int64_t rows, int64_t size, float smoothing,
                            float scale, void* gradients) {
  return guarded([&] {
    check_rows(threads, rows, size);
    check_within(targets, rows, 0, size);
    const std::shared_ptr<Pool> pool = pool_of(threads);
    pool->run([&](int thread) {
      const Share share(rows, thread, pool->team());
      half ? loss_gradient(static_cast<const uint16_t*>(logits), targets, normalizers, size,
                           smoothing, scale, share, static_cast<uint16_t*>(gradients))
           : loss_gradient(static_cast<const float*>(logits), targets, normalizers, size, smoothing,
                           scale, share, static_cast<float*>(gradients));
    });
  });
}

// Rows [N, K] in groups: ``scales`` [N · G, T], of which ``chosen`` [N · G] says the best; ``codes``
// [N, K] are the levels' numbers.
int transduce_round_groups(int threads, const float* weights, int64_t rows, int64_t width,
                           const float* scales, int tried, const float* levels, uint8_t* codes,
                           int64_t* chosen) {
  return guarded([&] {
    check_rows(threads, rows, width);
    require(tried > 0, Fault::kSizes);
    const int64_t count = (width + kGroup - 1) / kGroup;
    product({rows, count, tried, sizeof(float)});
    const Groups groups(levels, tried);
    const std::shared_ptr<Pool> pool = pool_of(threads);
    pool->run([&](int thread) {
      const Share share(rows * count, thread, pool->team());
      for (int64_t group = share.begin; group < share.end; ++group) {
        const int64_t first = group % count * kGroup, at = group / count * width + first;
        chosen[group] = groups.round(weights + at, static_cast<int>(std::min<int64_t>(kGroup, width - first)),
                                     scales + group * tried, codes + at);
      }
    });
  });
}

// ``tape``: inputs, gates, cells, first cells, outputs; see lstm.h.
int transduce_lstm(int half, int threads, const LstmSize* size, const float* const* parameters,
                   void* const* tape) {
  return guarded([&] {
    check_lstm(threads, *size);
    half ? run_lstm<uint16_t>(threads, *size, parameters, tape)
         : run_lstm<float>(threads, *size, parameters, tape);
  });
}

// ``gradients``: of outputs, of gates, of inputs, of hidden states, of cells, of the bias.
int transduce_lstm_back(int half, int threads, const LstmSize* size,
                        const float* const* parameters, void* const* tape,
                        void* const* gradients) {
  return guarded([&] {
    check_lstm(threads, *size);
    half ? run_lstm_back<uint16_t>(threads, *size, parameters, tape, gradients)
         : run_lstm_back<float>(threads, *size, parameters, tape, gradients);
  });
}

int transduce_scan(int threads, const ScanSize* size, const float* values, const float* keep,
                   const float* first, float* cells) {
  return guarded([&] {
    check_scan(threads, *size);
    const std::shared_ptr<Pool> pool = pool_of(threads);
    pool->run([&](int thread) {
      scan(*size, Share(size->ways(), thread, pool->team()), values, keep, first, cells);
    });
  });
}

// ``tape``: values, what is kept, first cells, cells; ``gradients``: of the first three.
int transduce_scan_back(int threads, const ScanSize* size, const float* const* tape,
                        const float* of_cells, float* const* gradients) {
  return guarded([&] {
    check_scan(threads, *size);
    const std::shared_ptr<Pool> pool = pool_of(threads);
    pool->run([&](int thread) {
      scan_back(*size, Share(size->ways(), thread, pool->team()), tape, of_cells, gradients);
    });
  });
}

// Vectors of a half's channels: the parts of the selection's gradient.
int64_t transduce_selective_scan_groups(const SelectiveScanSize* size) { return size->groups(); }

// ``tape``: values, steps, rates, selection.
int transduce_selective_scan(int threads, const SelectiveScanSize* size, const float* const* tape,
                             float* kept, float* outputs) {
  return guarded([&] {
    check_threads(threads);
    check_selective_scan(*size);
    const SelectiveScanTape given{tape[0], tape[1], tape[2], tape[3]};
    const Block<float> room = reserve<float>(threads * size->room());
    const std::shared_ptr<Pool> pool = pool_of(threads);
    pool->run([&](int thread) {
      selective_scan(*size, Share(size->ways(), thread, pool->team()), given, kept, outputs,
                     room.get() + thread * size->room());
    });
  });
}

// ``gradients``: of the tape's, those of rates and selection in parts.
int transduce_selective_scan_back(int threads, const SelectiveScanSize* size,
                                  const float* const* tape, const float* kept,
                                  const float* of_outputs, float* const* gradients) {
  return guarded([&] {
    check_threads(threads);
    check_selective_scan(*size);
    const SelectiveScanTape given{tape[0], tape[1], tape[2], tape[3]};
    const SelectiveScanGradients to{gradients[0], gradients[1], gradients[2], gradients[3]};
    const Block<float> room = reserve<float>(threads * size->room_back());
    const std::shared_ptr<Pool> pool = pool_of(threads);
    pool->run([&](int thread) {
      SelectiveScanBack back(*size, given, kept, of_outputs, to,
                             room.get() + thread * size->room_back());
      back.run(Share(size->ways(), thread, pool->team()));
    });
  });
}

// e^x of ``count`` numbers.
int transduce_powers(const float* from, int64_t count, float* to) {
  return guarded([&] {
    require(count >= 0, Fault::kSizes);
    for (int64_t i = 0; i < count; i += kLanes) {
      float values[kLanes] = {};
      const int64_t lanes = std::min<int64_t>(kLanes, count - i);
      std::copy_n(from + i, lanes, values);
      store(values, exponential(load(values)));
      std::copy_n(values, lanes, to + i);
    }
  });
}

int transduce_ctc_scores(int threads, const CtcSize* size, const float* powers,
                         const int64_t* lengths, const CtcRows* rows, int64_t end, float* to) {
  return guarded([&] {
    check_threads(threads);
    size->check();
    check_within(lengths, size->sentences, 1, size->positions + 1);
    check_within(rows->last, size->rows, 0, size->symbols);
    check_within(&end, 1, 0, size->symbols);
    const std::shared_ptr<Pool> pool = pool_of(threads);
    pool->run([&](int thread) {
      ctc_scores(*size, powers, lengths, *rows, end, Share(size->rows, thread, pool->team()), to);
    });
  });
}

int transduce_ctc_advance(int threads, const CtcSize* size, const float* log_probs,
                          const int64_t* lengths, const int64_t* tokens, const CtcRows* before,
                          const CtcRows* after) {
  return guarded([&] {
    check_threads(threads);
    size->check();
    check_within(lengths, size->sentences, 1, size->positions + 1);
    check_within(tokens, size->rows, 0, size->symbols);
    const std::shared_ptr<Pool> pool = pool_of(threads);
    pool->run([&](int thread) {
      ctc_advance(*size, log_probs, lengths, tokens, *before, *after,
                  Share(size->rows, thread, pool->team()));
    });
  });
}

int transduce_run(void* handle, int threads, const Call* call) {
  return guarded([&] {
    Program& program = *static_cast<Program*>(handle);
    check_threads(threads);
    program.admit(*call);
    if (threads == 1) {  // nobody to wait for, and the pool stays as it is
      Pool alone(1);
      program.run(alone, *call);
    } else {
      program.run(*pool_of(threads), *call);
    }
  });
}

// Runs that have nothing to do with each other, each on one thread with a workspace of its own.
int transduce_run_apart(void* handle, int threads, const Call* calls, int64_t count) {
  return guarded([&] {
    Program& program = *static_cast<Program*>(handle);
    check_threads(threads);
    for (int64_t i = 0; i < count; ++i) program.admit(calls[i]);
    std::atomic<int64_t> next{0};
    std::atomic<bool> failed{false};
    const std::shared_ptr<Pool> pool = pool_of(threads);
    pool->run([&](int) {
      try {  // nothing may be thrown out of a thread
        Pool alone(1);
        for (int64_t i = next++; i < count; i = next++) program.run(alone, calls[i]);
      } catch (const std::exception&) {
        failed = true;
      }
    });
    require(!failed, Fault::kMemory);
  });
}

// The sentences are shared out in small groups, of which each thread takes the next when it is free; or,
// ``together``, all threads work on all of them.
int transduce_search(void* handle, int threads, int together, const Call* call, const Plan* plan,
                     const Slots* slots, const Found* found) {
  return guarded([&] {
    Program& program = *static_cast<Program*>(handle);
    check_threads(threads);
    admit_search(program, *call, *plan, *slots, *found);
    const int64_t count = call->sentences;
    std::atomic<Fault> outcome{Fault::kNone};
    const int64_t groups = together ? 1 : search_groups(threads, count);
    const auto sentences_of = [&](int64_t group) {  // neighbours are of one length: each gets its share
      std::vector<int64_t> sentences;
      for (int64_t b = group; b < count; b += groups) sentences.push_back(b);
      return sentences;
    };
    const auto close = [&](const Search& search) {
      if (search.outcome() == Fault::kNone)
        search.write(*found);
      else
        outcome = search.outcome();
    };
    const auto alone = [&](int64_t group) {
      Search search(program, *call, *plan, *slots, sentences_of(group));
      Pool pool(1);
      search.run(pool, 0);
      close(search);
    };
    if (together) {
      Search search(program, *call, *plan, *slots, sentences_of(0));
      const std::shared_ptr<Pool> pool = pool_of(threads);
      pool->run([&](int thread) { search.run(*pool, thread); });
      close(search);
    } else if (groups == 1) {
      alone(0);
    } else {
      std::atomic<int64_t> next{0};
      pool_of(threads)->run([&](int) {
        try {  // nothing may be thrown out of a thread
          for (int64_t group = next++; group < groups; group = next++) alone(group);
        } catch (const std::exception&) {
          outcome = Fault::kMemory;
        }
      });
    }
    require(outcome == Fault::kNone, outcome);
  });
}

int64_t transduce_weight_bytes(void* program) {
  return static_cast<Program*>(program)->weight_bytes();
}

}  // extern "C"
