// The C interface: weights, programs, runs. Every function that can fail gives null or -1.
#include "attention.h"
#include "convolution.h"
#include "layers.h"
#include "loss.h"
#include "lstm.h"
#include "memory.h"
#include "recurrence.h"
#include "search.h"
#include "source_attention.h"
#include "vocabulary.h"

namespace transduce {
namespace {

std::mutex pool_lock;
std::shared_ptr<Pool> the_pool;

std::shared_ptr<Pool> pool_of(int threads) {
  std::lock_guard<std::mutex> guard(pool_lock);
  if (the_pool == nullptr || !the_pool->usable() || the_pool->threads() != threads)
    the_pool = std::make_shared<Pool>(threads);
  return the_pool;
}

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

template <class Op, class... Arguments>
void add(void* program, Arguments... arguments) {
  static_cast<Program*>(program)->add(std::make_unique<Op>(arguments...));
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

void* transduce_weight(int number, const float* weight, const float* bias, int columns, int depth,
                       float padding) {
  try {
    return new Weight(static_cast<Number>(number), weight, bias, columns, depth, padding);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

void transduce_free_weight(void* weight) { delete static_cast<Weight*>(weight); }

void* transduce_program() { return new (std::nothrow) Program(); }

void transduce_free_program(void* program) { delete static_cast<Program*>(program); }

int transduce_buffer(void* program, int width) {
  return static_cast<Program*>(program)->add_buffer(width);
}

void transduce_embed(void* program, int out, int tokens, const float* table, float scale) {
  add<Embed>(program, out, tokens, table, scale);
}

void transduce_positions(void* program, int out, int table, int step) {
  add<AddPositions>(program, out, table, step != 0);
}

void transduce_linear(void* program, int in, int out, const void* weight, int activation,
                      int accumulate) {
  add<Linear>(program, in, out, static_cast<const Weight*>(weight),
              static_cast<Activation>(activation), accumulate != 0);
}

void transduce_norm(void* program, int in, int out, const float* weight, const float* bias,
                    float epsilon, int centred) {
  add<Norm>(program, in, out, weight, bias, epsilon, centred != 0);
}

void transduce_gate(void* program, int in, int out, int activation) {
  add<Gate>(program, in, out, static_cast<Activation>(activation));
}

void transduce_place(void* program, int in, int out, int offset) {
  add<Place>(program, in, out, offset);
}

void transduce_move(void* program, int buffer, int tensor, int offset, int stride, int in) {
  add<Move>(program, buffer, tensor, offset, stride, in != 0);
}

void transduce_cell(void* program, int kind, int input, int recurrent, int hidden, int cell) {
  add<Cell>(program, static_cast<CellKind>(kind), input, recurrent, hidden, cell);
}

void transduce_recurrence(void* program, int kind, int sums, const void* recurrent, int out,
                          int offset, int lengths, int last, int last_offset, int last_stride,
                          int reversed) {
  add<Recurrence>(program, static_cast<CellKind>(kind), sums,
                  static_cast<const Weight*>(recurrent), out, offset, lengths, last, last_offset,
                  last_stride, reversed != 0);
}

void transduce_ancestry_attention(void* program, int half, int in, int out, int layer, int queries,
                                  int pairs, int width, int cache, int table, int cosines,
                                  int sines, int bias) {
  const Heads heads{queries, pairs, width};
  half ? add<AncestryAttention<uint16_t>>(program, in, out, layer, heads, cache, table, cosines,
                                          sines, bias)
       : add<AncestryAttention<float>>(program, in, out, layer, heads, cache, table, cosines,
                                       sines, bias);
}

void transduce_source_attention(void* program, int half, int in, int out, int queries, int pairs,
                                int width, int lengths, int cosines, int sines, int bias) {
  add<SourceAttention>(program, in, out, Heads{queries, pairs, width}, lengths, cosines, sines,
                       bias, half != 0);
}

void transduce_windows(void* program, int frames, int counts, int room, int out, int kernel,
                       int stride) {
  add<Windows>(program, frames, counts, room, out, kernel, stride);
}

void transduce_store_memory(void* program, int half, int in, int offset, int tensor, int pairs,
                            int width, int keys) {
  const Heads heads{pairs, pairs, width};
  half ? add<StoreMemory<PairedMemory>>(program, in, offset, tensor, heads, keys != 0)
       : add<StoreMemory<FloatMemory>>(program, in, offset, tensor, heads, keys != 0);
}

void transduce_memory_attention(void* program, int half, int in, int out, int queries, int pairs,
                                int width, int value_width, int keys, int values, int lengths,
                                int weights, float factor, const float* vector, int cosine) {
  const Look look{Heads{queries, pairs, width}, value_width, factor, vector, cosine != 0};
  half ? add<MemoryAttention<PairedMemory>>(program, in, out, keys, values, lengths, weights, look)
       : add<MemoryAttention<FloatMemory>>(program, in, out, keys, values, lengths, weights, look);
}

void transduce_vocabulary(void* program, int in, const void* weight, int logits, int scores,
                          int tokens, int end_token) {
  add<Vocabulary>(program, in, static_cast<const Weight*>(weight), logits, scores, tokens,
                  end_token);
}

int transduce_loss_rows(int half, int threads, const void* logits, int64_t rows, int64_t size,
                        float* normalizers, float* means) {
  try {
    const std::shared_ptr<Pool> pool = pool_of(threads);
    pool->run([&](int thread) {
      const Share share(rows, thread, pool->team());
      half ? normalize_rows(static_cast<const uint16_t*>(logits), size, share, normalizers, means)
           : normalize_rows(static_cast<const float*>(logits), size, share, normalizers, means);
    });
    return 0;
  } catch (const std::exception&) {
    return -1;
  }
}

int transduce_loss_gradient(int half, int threads, const void* logits, const int64_t* targets,
                            const float* normalizers, int64_t rows, int64_t size, float smoothing,
                            float scale, void* gradients) {
  try {
    const std::shared_ptr<Pool> pool = pool_of(threads);
    pool->run([&](int thread) {
      const Share share(rows, thread, pool->team());
      half ? loss_gradient(static_cast<const uint16_t*>(logits), targets, normalizers, size,
                           smoothing, scale, share, static_cast<uint16_t*>(gradients))
           : loss_gradient(static_cast<const float*>(logits), targets, normalizers, size, smoothing,
                           scale, share, static_cast<float*>(gradients));
    });
    return 0;
  } catch (const std::exception&) {
    return -1;
  }
}

// ``tape``: inputs, gates, cells, first cells, outputs; see lstm.h.
int transduce_lstm(int half, int threads, const LstmSize* size, const float* const* parameters,
                   void* const* tape) {
  try {
    half ? run_lstm<uint16_t>(threads, *size, parameters, tape)
         : run_lstm<float>(threads, *size, parameters, tape);
    return 0;
  } catch (const std::exception&) {
    return -1;
  }
}

// ``gradients``: of outputs, of gates, of inputs, of hidden states, of cells, of the bias.
int transduce_lstm_back(int half, int threads, const LstmSize* size,
                        const float* const* parameters, void* const* tape,
                        void* const* gradients) {
  try {
    half ? run_lstm_back<uint16_t>(threads, *size, parameters, tape, gradients)
         : run_lstm_back<float>(threads, *size, parameters, tape, gradients);
    return 0;
  } catch (const std::exception&) {
    return -1;
  }
}

int transduce_run(void* program, int threads, const Call* call) {
  try {
    if (threads == 1) {  // nobody to wait for, and the pool stays as it is
      Pool alone(1);
      static_cast<Program*>(program)->run(alone, *call);
      return 0;
    }
    const std::shared_ptr<Pool> pool = pool_of(threads);
    static_cast<Program*>(program)->run(*pool, *call);
    return 0;
  } catch (const std::exception&) {
    return -1;
  }
}

// Runs that have nothing to do with each other, each on one thread with a workspace of its own.
int transduce_run_apart(void* handle, int threads, const Call* calls, int64_t count) {
  try {
    Program& program = *static_cast<Program*>(handle);
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
    return failed ? -1 : 0;
  } catch (const std::exception&) {
    return -1;
  }
}

// The sentences are shared out among the threads, or, ``together``, all work on all of them.
int transduce_search(void* handle, int threads, int together, const Call* call, const Plan* plan,
                     const Slots* slots, const Found* found) {
  try {
    Program& program = *static_cast<Program*>(handle);
    const int64_t parts = together ? 1 : std::min<int64_t>(threads, call->sentences);
    std::vector<std::unique_ptr<Search>> searches;
    for (int64_t part = 0; part < parts; ++part) {
      std::vector<int64_t> sentences;  // neighbours are of one length: each part gets its share
      for (int64_t b = part; b < call->sentences; b += parts) sentences.push_back(b);
      searches.push_back(std::make_unique<Search>(program, *call, *plan, *slots, sentences));
    }
    const auto alone = [&](int64_t part) {
      Pool pool(1);
      searches[part]->run(pool, 0);
    };
    if (parts == 1 && !together) {
      alone(0);
    } else {
      const std::shared_ptr<Pool> pool = pool_of(threads);
      pool->run([&](int thread) {
        if (together) return searches[0]->run(*pool, thread);
        for (int64_t part = thread; part < parts; part += pool->team()) alone(part);
      });
    }
    for (const auto& search : searches) {
      if (search->outcome() != Outcome::kDone) return static_cast<int>(search->outcome());
      search->write(*found);
    }
    return 0;
  } catch (const std::exception&) {
    return static_cast<int>(Outcome::kNoMemory);
  }
}

int64_t transduce_weight_bytes(void* program) {
  return static_cast<Program*>(program)->weight_bytes();
}

}  // extern "C"
