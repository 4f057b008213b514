// The race checker: two threads touch the same bytes, one writes, and nothing orders the two.
//
// g++'s -fsanitize=thread makes the compiler call a function before every access to memory. Here
// are those functions, in the place of ThreadSanitizer's own, which knows nothing of CUDA. What
// orders two accesses: __syncthreads within a block, __syncwarp within a warp, __threadfence on
// both sides between blocks and between warps. A shuffle or a ballot orders nothing, as CUDA's manual says. Atomic
// and volatile accesses are taken to be the synchronisation itself and are not looked at.
#include <stdint.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "cuda_scheduler.h"

namespace emulation {
namespace races {
namespace {

struct Access {
    int thread = -1, block = 0, interval = 0;
    unsigned warp_time = 0;  // how often this thread had passed a __syncwarp
    unsigned fences = 0;     // how often its block had passed a __threadfence
    size_t warp_fences = 0;  // how often its warp had
    const void* code = nullptr;
};

struct Cell {  // one byte of memory
    Access write;
    std::vector<Access> reads;  // since that write, and not ordered before each other
};

struct Region {
    const char* start;
    size_t bytes;
    std::string name;
    bool per_block;
    std::vector<Cell> cells;
};

std::vector<Region> regions;
// What each thread knows of the other lanes of its warp: their times, up to which it saw them.
std::vector<std::array<unsigned, 32>> seen;
std::vector<unsigned> fences;  // by block
// By warp of the block that runs: when it passed each __threadfence, counted over all warps.
std::vector<std::vector<unsigned>> fences_of_warps;
unsigned fences_in_all = 0;

Access access_now(const Where& at, const void* code) {
    const unsigned warp_time = seen[at.thread][at.thread % 32];
    const size_t warp_fences = fences_of_warps[at.thread / 32].size();
    return {at.thread, at.block, at.interval, warp_time, fences[at.block], warp_fences, code};
}

bool ordered(const Access& before, const Where& at) {
    if (before.thread < 0) return true;
    if (before.block != at.block) return fences[before.block] > before.fences && fences[at.block];
    if (before.thread == at.thread || before.interval < at.interval) return true;
    if (before.thread / 32 == at.thread / 32)
        return seen[at.thread][before.thread % 32] > before.warp_time;
    const auto &theirs = fences_of_warps[before.thread / 32], &own = fences_of_warps[at.thread / 32];
    return theirs.size() > before.warp_fences && !own.empty() && own.back() > theirs[before.warp_fences];
}

void check(const Region& region, size_t byte, const Access& before, bool before_wrote,
           const Where& at, bool writes, const void* code) {
    if (ordered(before, at)) return;
    const bool one_block = before.block == at.block;
    const std::string other = one_block ? "" : " of block " + std::to_string(before.block);
    fault("data race: byte %zu of %s is %s by %s at [code %p], and was %s by %s%s at [code %p], "
          "with no %s between",
          byte, region.name.c_str(), writes ? "written" : "read", name_thread(at.thread).c_str(),
          code, before_wrote ? "written" : "read", name_thread(before.thread).c_str(),
          other.c_str(), before.code, one_block ? "barrier" : "__threadfence");
}

// A write that races with an earlier read, itself ordered before this one, races with this one
// too; and of the reads by other blocks one witness is enough.
void note_read(std::vector<Access>& reads, const Access& read, const Where& at) {
    bool foreign = false;
    const auto needless = [&](const Access& earlier) {
        const bool second = earlier.block != at.block && foreign;
        foreign |= earlier.block != at.block;
        return second || ordered(earlier, at);
    };
    reads.erase(std::remove_if(reads.begin(), reads.end(), needless), reads.end());
    reads.push_back(read);
}

void touch(const void* address, size_t bytes, bool writes, const void* code) {
    const Where at = where();
    if (at.thread < 0) return;
    for (Region& region : regions) {
        const size_t first = size_t((const char*)address - region.start);
        if (first >= region.bytes) continue;
        for (size_t byte = first; byte < std::min(first + bytes, region.bytes); byte++) {
            Cell& cell = region.cells[byte];
            check(region, byte, cell.write, true, at, writes, code);
            if (writes) {
                for (const Access& read : cell.reads)
                    check(region, byte, read, false, at, true, code);
                cell.reads.clear();
                cell.write = access_now(at, code);
            } else {
                note_read(cell.reads, access_now(at, code), at);
            }
        }
    }
}
}  // namespace

void track(const void* start, size_t bytes, const char* name, bool per_block) {
    regions.push_back({(const char*)start, bytes, name, per_block, std::vector<Cell>(bytes)});
}

void start_block(int threads) {
    const size_t block = size_t(where().block);
    if (fences.size() <= block) fences.resize(block + 1);
    seen.assign(size_t(threads), {});
    for (auto& times : seen) times.fill(0);
    fences_of_warps.assign((size_t(threads) + 31) / 32, {});
    for (Region& region : regions)
        if (region.per_block) region.cells.assign(region.bytes, Cell());
}

void join(int warp, unsigned lanes) {
    std::array<unsigned, 32> latest{};
    const auto of_lane = [&](int lane) -> auto& { return seen[size_t(warp) * 32 + lane]; };
    for (int lane = 0; lane < 32; lane++) {
        if (!(lanes >> lane & 1)) continue;
        of_lane(lane)[lane]++;
        for (int i = 0; i < 32; i++) latest[i] = std::max(latest[i], of_lane(lane)[i]);
    }
    for (int lane = 0; lane < 32; lane++)
        if (lanes >> lane & 1) of_lane(lane) = latest;
}

void fence() {
    const Where at = where();
    fences[size_t(at.block)]++;
    fences_of_warps[size_t(at.thread) / 32].push_back(++fences_in_all);
}
}  // namespace races
}  // namespace emulation

#define HOOK(name, bytes, writes)                                                                 \
    extern "C" void __tsan_##name(void* address) {                                                \
        emulation::races::touch(address, bytes, writes, __builtin_return_address(0));             \
    }
#define IGNORED(name) extern "C" void __tsan_##name(void*) {}
#define HOOKS(bytes)                                                                              \
    HOOK(read##bytes, bytes, false) HOOK(write##bytes, bytes, true) IGNORED(volatile_read##bytes) \
    IGNORED(volatile_write##bytes)
#define UNALIGNED_HOOKS(bytes)                                                                    \
    HOOK(unaligned_read##bytes, bytes, false) HOOK(unaligned_write##bytes, bytes, true)           \
    IGNORED(unaligned_volatile_read##bytes) IGNORED(unaligned_volatile_write##bytes)
HOOKS(1) HOOKS(2) HOOKS(4) HOOKS(8) HOOKS(16)
UNALIGNED_HOOKS(2) UNALIGNED_HOOKS(4) UNALIGNED_HOOKS(8) UNALIGNED_HOOKS(16)
extern "C" void __tsan_read_range(void* address, size_t bytes) {
    emulation::races::touch(address, bytes, false, __builtin_return_address(0));
}
extern "C" void __tsan_write_range(void* address, size_t bytes) {
    emulation::races::touch(address, bytes, true, __builtin_return_address(0));
}
extern "C" void __tsan_init() {}
IGNORED(func_entry)
extern "C" void __tsan_func_exit() {}
