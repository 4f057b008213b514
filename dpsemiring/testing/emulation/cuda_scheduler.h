// What the parts of the emulation's executable know of each other.
#pragma once

#include <stddef.h>

#include <string>

namespace emulation {

[[noreturn]] void fault(const char* format, ...) __attribute__((format(printf, 1, 2)));

enum class Order { ascending, descending, shuffled };

struct Launch {  // beside the extents of grid and block, which the kernel itself sees
    Order order;
    unsigned long long seed;
    size_t shared_bytes;
};
extern Launch the_launch;

constexpr size_t MOST_SHARED_BYTES = 227 * 1024;

struct Where {
    int thread, block;  // thread < 0 while none runs
    int interval;       // how many block-wide barriers the block has passed
};
Where where();
std::string name_thread(int thread);

// The race checker's side: weak, since it is linked in only when asked for.
namespace races {
__attribute__((weak)) void track(const void* start, size_t bytes, const char* name, bool per_block);
__attribute__((weak)) void start_block(int threads);
__attribute__((weak)) void join(int warp, unsigned lanes);
__attribute__((weak)) void fence();
}  // namespace races
}  // namespace emulation
