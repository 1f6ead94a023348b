// Cross-entropy with label smoothing over rows of logits, one pass forward and one back.
#pragma once

#include "pool.h"
#include "vectors.h"

namespace transduce {

// For each row of logits [N, V] its log Σ e^z, and its mean.
template <class Stored>
void normalize_rows(const Stored* logits, int64_t size, Share rows, float* normalizers,
                    float* means) {
  for (int64_t row = rows.begin; row < rows.end; ++row) {
    const Stored* z = logits + row * size;
    Floats most = splat(-std::numeric_limits<float>::infinity()), whole{};
    int64_t i = 0;
    for (; i + kLanes <= size; i += kLanes) {
      const Floats value = read(z + i);
      most = larger(most, value);
      whole += value;
    }
    float top = largest(most), total = sum(whole);
    for (int64_t k = i; k < size; ++k) {
      const float value = read_one(z + k);
      top = value > top ? value : top;
      total += value;
    }
    Floats powers{};
    for (i = 0; i + kLanes <= size; i += kLanes) powers += exponential(read(z + i) - top);
    float mass = sum(powers);
    for (; i < size; ++i) mass += std::exp(read_one(z + i) - top);
    normalizers[row] = top + std::log(mass);
    means[row] = total / static_cast<float>(size);
  }
}

// gradient = scale · (softmax(z) - q), q the smoothed target; rows with target 0 (padding): 0.
template <class Stored>
void loss_gradient(const Stored* logits, const int64_t* targets, const float* normalizers,
                   int64_t size, float smoothing, float scale, Share rows, Stored* gradients) {
  const float uniform = scale * smoothing / static_cast<float>(size);
  for (int64_t row = rows.begin; row < rows.end; ++row) {
    const Stored* z = logits + row * size;
    Stored* to = gradients + row * size;
    if (targets[row] == 0) {
      std::memset(to, 0, sizeof(Stored) * static_cast<size_t>(size));
      continue;
    }
    const float normalizer = normalizers[row];
    int64_t i = 0;
    for (; i + kLanes <= size; i += kLanes)
      write(to + i, scale * exponential(read(z + i) - normalizer) - uniform);
    for (; i < size; ++i)
      write_one(to + i, scale * std::exp(read_one(z + i) - normalizer) - uniform);
    const int64_t target = targets[row];
    const float probability = std::exp(read_one(z + target) - normalizer);
    write_one(to + target, scale * (probability - (1.0f - smoothing)) - uniform);
  }
}

}  // namespace transduce
