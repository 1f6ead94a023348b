// Weights rounded to sixteen levels: of the scales that each group may have, that of least squared
// error, and the number of the level nearest to each weight.
#pragma once

#include "vectors.h"

namespace transduce {

constexpr int kGroup = 32, kLevels = 16;  // weights that share a scale; levels of a weight

// Sums go as compress/groups.py has them, in an order that no processor changes: every product below is
// exact in double.
class Groups {
 public:
  // ``levels`` rise; ``tried`` scales of each group.
  Groups(const float* levels, int tried) : tried_(tried) {
    for (int level = 0; level < kLevels; ++level) {
      levels_[level] = levels[level];
      if (level > 0) borders_[level - 1] = (levels[level] + levels[level - 1]) / 2;
    }
  }

  // One group of ``count`` weights; gives the place of the scale.
  int64_t round(const float* weights, int count, const float* scales, uint8_t* codes) const {
    float own[kGroup] = {};
    std::memcpy(own, weights, sizeof(float) * count);
    int64_t best = 0;
    double least = std::numeric_limits<double>::infinity();
    for (int64_t scale = 0; scale < tried_; ++scale) {
      const double found = error(own, count, scales[scale]);
      if (found < least) {
        least = found;
        best = scale;
      }
    }
    for (int i = 0; i < count; ++i) {
      const float value = own[i] / scales[best];
      uint8_t code = 0;
      for (const float border : borders_) code += value > border;
      codes[i] = code;
    }
    return best;
  }

 private:
  double error(const float* weights, int count, float scale) const {
    float distances[kGroup];
    for (int i = 0; i < kGroup; i += kLanes) {
      const Floats weight = load(weights + i), value = weight / scale;
      Floats nearest = splat(levels_[0]);
      for (int level = 1; level < kLevels; ++level)
        nearest = value > borders_[level - 1] ? splat(levels_[level]) : nearest;
      store(distances + i, nearest);
    }
    for (int i = 0; i < kGroup; ++i)
      distances[i] = i < count ? static_cast<float>(double{distances[i]} * scale - weights[i]) : 0;
    double sums[8] = {};
    for (int i = 0; i < kGroup; ++i) sums[i % 8] += double{distances[i]} * distances[i];
    for (int half = 4; half > 0; half /= 2)
      for (int i = 0; i < half; ++i) sums[i] += sums[i + half];
    return sums[0];
  }

  const int tried_;
  float levels_[kLevels], borders_[kLevels - 1];
};

}  // namespace transduce
