// A few threads that work through one program together.
#pragma once

#include <unistd.h>

#include <atomic>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace transduce {

// Parts of ``count`` items for one of ``threads``: contiguous, sizes differ by one at most.
struct Share {
  int64_t begin, end;
  Share(int64_t count, int thread, int threads)
      : begin(count * thread / threads), end(count * (thread + 1) / threads) {}
};

// The OpenMP runtime that torch has loaded. Its threads spin for a while after each of torch's
// operations: threads of our own beside them would fight for the same processors.
struct OpenMp {
  void (*parallel)(void (*)(void*), void*, unsigned, unsigned) = nullptr;  // GOMP_parallel
  int (*thread)() = nullptr;                                              // omp_get_thread_num
  int (*threads)() = nullptr;                                             // omp_get_num_threads
};

inline OpenMp& open_mp() {
  static OpenMp functions;
  return functions;
}

// Threads of OpenMP where it is known, else of its own.
class Pool {
 public:
  explicit Pool(int threads) : threads_(threads), process_(getpid()), team_(threads) {
    if (open_mp().parallel != nullptr) return;
    try {
      for (int thread = 1; thread < threads; ++thread)
        workers_.emplace_back([this, thread] { serve(thread); });
    } catch (...) {
      dismiss();  // those that were started
      throw;
    }
  }

  ~Pool() {
    if (getpid() == process_)
      dismiss();
    else
      for (auto& worker : workers_) worker.detach();  // after a fork they are not there
  }

  int threads() const { return threads_; }
  int team() const { return team_.load(std::memory_order_relaxed); }  // within a run
  bool usable() const { return getpid() == process_; }

  // ``task(thread)`` on every thread; returns when all are done. One caller at a time.
  void run(const std::function<void(int)>& task) {
    std::lock_guard<std::mutex> turn(turn_);
    if (threads_ == 1) return task(0);
    task_ = &task;
    if (open_mp().parallel != nullptr)
      return open_mp().parallel(&Pool::enter, this, static_cast<unsigned>(threads_), 0);
    round_.fetch_add(1, std::memory_order_release);
    round_.notify_all();
    task(0);
    barrier();
  }

  // Wait, inside a task, until every thread is here.
  void barrier() {
    const int team = this->team();
    if (team == 1) return;
    const uint32_t phase = phase_.load(std::memory_order_acquire);
    if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == team) {
      arrived_.store(0, std::memory_order_relaxed);
      phase_.fetch_add(1, std::memory_order_release);
      return;
    }
    for (int spin = 0; phase_.load(std::memory_order_acquire) == phase; ++spin) {
      if (spin < kSpins)
        relax();
      else
        std::this_thread::yield();  // somebody else has the processor
    }
  }

 private:
  static constexpr int kSpins = 4000;

  static void relax() {
#if defined(__x86_64__)
    _mm_pause();
#endif
  }

  void dismiss() {
    task_ = nullptr;
    round_.fetch_add(1, std::memory_order_release);
    round_.notify_all();
    for (auto& worker : workers_) worker.join();
  }

  static void enter(void* self) {
    Pool* pool = static_cast<Pool*>(self);
    // OpenMP may give fewer threads than asked for; all of them see the same number.
    pool->team_.store(open_mp().threads(), std::memory_order_relaxed);
    (*pool->task_)(open_mp().thread());
  }

  void serve(int thread) {
    uint32_t seen = 0;
    while (true) {
      for (int spin = 0; spin < kSpins && round_.load(std::memory_order_acquire) == seen; ++spin)
        relax();
      round_.wait(seen, std::memory_order_acquire);
      seen = round_.load(std::memory_order_acquire);
      const auto* task = task_;
      if (task == nullptr) return;
      (*task)(thread);
      barrier();
    }
  }

  const int threads_;
  const pid_t process_;
  std::atomic<int> team_;
  std::vector<std::thread> workers_;
  std::mutex turn_;
  const std::function<void(int)>* task_ = nullptr;
  std::atomic<uint32_t> round_{0};
  std::atomic<uint32_t> phase_{0};
  std::atomic<int> arrived_{0};
};

}  // namespace transduce
