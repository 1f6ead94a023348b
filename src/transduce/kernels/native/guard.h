// Between the C interface and the work: the pool that all calls share, and what becomes of a refusal.
#pragma once

#include <memory>
#include <mutex>

#include "call.h"
#include "lstm.h"
#include "pool.h"
#include "scan.h"
#include "selective_scan.h"

namespace transduce {
namespace {

std::mutex pool_lock;
std::shared_ptr<Pool> the_pool;

std::shared_ptr<Pool> pool_of(int threads) {
  if (threads == 1) return std::make_shared<Pool>(1);  // nobody to wait for, nor any other caller
  std::lock_guard<std::mutex> guard(pool_lock);
  if (the_pool == nullptr || !the_pool->usable() || the_pool->threads() != threads)
    the_pool = std::make_shared<Pool>(threads);
  return the_pool;
}

thread_local Report the_report;  // of what this thread was refused last

int said(Fault fault) {
  the_report = Refused(fault).report;
  return static_cast<int>(fault);
}

// ``work``, and what becomes of it: nothing is thrown out of the library.
template <class Work>
int guarded(const Work& work) {
  try {
    work();
    return 0;
  } catch (const Refused& refused) {
    the_report = refused.report;
    return static_cast<int>(refused.report.fault);
  } catch (const std::exception&) {
    return said(Fault::kMemory);
  }
}

void check_threads(int threads) { require(threads > 0 && threads <= 4096, Fault::kSizes); }

void check_rows(int threads, int64_t rows, int64_t size) {
  check_threads(threads);
  require(rows >= 0 && size > 0, Fault::kSizes);
  product({rows, size, sizeof(float)});
}

void check_within(const int64_t* numbers, int64_t count, int64_t least, int64_t bound) {
  for (int64_t i = 0; i < count; ++i)
    if (numbers[i] < least || numbers[i] >= bound)
      throw Refused(Fault::kRange, -1, numbers[i], least, bound);
}

void check_lstm(int threads, const LstmSize& size) {
  check_threads(threads);
  require(size.sentences > 0 && size.length > 0 && size.inputs > 0 && size.units > 0, Fault::kSizes);
  require(size.units % 16 == 0 && size.inputs % 2 == 0, Fault::kSizes);
  require(size.inputs < Widths::kMost && size.units < Widths::kMost / kGates, Fault::kSizes);
  product({size.sentences, size.length, kGates, size.depth(), sizeof(float)});
}

void check_scan(int threads, const ScanSize& size) {
  check_threads(threads);
  require(size.rows >= 0 && size.length >= 0 && size.width > 0, Fault::kSizes);
  product({size.rows, size.length, size.width, sizeof(float)});
}

void check_selective_scan(const SelectiveScanSize& size) {
  require(size.rows >= 0 && size.length >= 0 && size.width > 0 && size.width % 2 == 0, Fault::kSizes);
  require(size.state > 0 && size.state <= Widths::kMost / kLanes, Fault::kSizes);
  // what is kept, and the parts of the selection's gradient
  product({size.rows, size.chunks(), size.state, size.width, sizeof(float)});
  product({size.groups(), size.rows, size.length, 4, size.state, sizeof(float)});
  product({size.rows, size.length, size.width, sizeof(float)});
}

}  // namespace
}  // namespace transduce
