// Which thread of a block goes on, where several can.
//
// Every order is unfair on purpose: it always prefers the same end of the block (or, shuffled, one
// warp for a while), so that a warp runs as far ahead of the others as the text's own barriers let
// it. A fair one, a step of each warp in turn, would keep warps in time with each other and so
// hide a missing barrier between them.
#pragma once

#include <utility>
#include <vector>

#include "cuda_scheduler.h"

namespace emulation {

class Schedule {
  public:
    Schedule(Order order, unsigned long long seed) : order_(order), random_(seed) {}

    // 0 to count - 1 in this schedule's order.
    std::vector<int> arrange(int count) {
        std::vector<int> all(static_cast<size_t>(count));
        for (int i = 0; i < count; i++) all[i] = order_ == Order::descending ? count - 1 - i : i;
        if (order_ == Order::shuffled)
            for (int i = count - 1; i > 0; i--) std::swap(all[i], all[below(i + 1)]);
        return all;
    }

    void start_block(int threads) {
        const int warps = (threads + 31) / 32;
        ready_.assign(size_t(warps), 0);
        resting_.assign(size_t(warps), 0);
        warps_ = arrange(warps);
    }

    void add(int thread) { ready_[thread / 32] |= 1u << thread % 32; }

    // For a thread that polls: after all those that can go on; shuffled, some time before.
    void add_last(int thread) { resting_[thread / 32] |= 1u << thread % 32; }

    // The number of the next thread; negative where none can go on.
    int take() {
        if (order_ == Order::shuffled && below(16) == 0) {
            warps_ = arrange(int(warps_.size()));
            for (int warp : warps_) ready_[warp] |= std::exchange(resting_[warp], 0);
        }
        for (int attempt = 0; attempt < 2; attempt++) {
            for (int warp : warps_) {
                if (!ready_[warp]) continue;
                const int lane = choose(ready_[warp]);
                ready_[warp] &= ~(1u << lane);
                return warp * 32 + lane;
            }
            ready_.swap(resting_);
        }
        return -1;
    }

  private:
    int choose(unsigned lanes) {
        if (order_ == Order::descending) return 31 - __builtin_clz(lanes);
        if (order_ == Order::shuffled)
            for (int skip = below(__builtin_popcount(lanes)); skip > 0; skip--) lanes &= lanes - 1;
        return __builtin_ctz(lanes);
    }

    int below(int bound) {  // splitmix64
        unsigned long long z = random_ += 0x9e3779b97f4a7c15ull;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
        return int((z ^ (z >> 31)) % unsigned(bound));
    }

    Order order_;
    unsigned long long random_;
    std::vector<unsigned> ready_, resting_;  // one word a warp, one bit a lane
    std::vector<int> warps_;
};
}  // namespace emulation
