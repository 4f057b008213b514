// Runs a grid of emulated CUDA threads: fibers, their meeting points, and faults.
//
// Blocks run one after another. Inside a block one fiber runs until it waits, then the schedule
// says which goes on. When none can and some have not ended, they wait for what never comes.
#include "cuda_scheduler.h"

#include <stdarg.h>
#include <sys/mman.h>
#include <unistd.h>

#include <utility>
#include <vector>

#include "cuda_fibers.h"
#include "cuda_schedule.h"
// Last, for its macros would disturb the C++ library's headers.
#include "cuda_emulation.h"
#include "cuda_launch.h"

uint3 threadIdx, blockIdx;
dim3 blockDim, gridDim;
// The bounds that the linker gives to the section of all static shared variables, if any.
extern "C" __attribute__((weak)) char __start_emulated_shared[], __stop_emulated_shared[];

namespace emulation {

alignas(256) char dynamic_shared[MOST_SHARED_BYTES];
Launch the_launch;

namespace {

// NaN as float and as double, large and negative as an integer, true and invalid as a bool.
constexpr unsigned GARBAGE = 0xffffa5a5u;
constexpr size_t STACK_BYTES = 256 * 1024, GUARD_BYTES = 64 * 1024;

enum class State { ready, at_barrier, at_meeting, ended };

struct Thread {
    State state;
    Fiber fiber;
    // What it waits for, what it brought, and later what it gets.
    const char* waits_in;
    int line, source;
    unsigned mask;
    unsigned long long value;
};

std::vector<Thread> threads;
Thread* current = nullptr;
int block_number = 0, interval = 0, at_barrier = 0, ended = 0;
Schedule schedule(Order::ascending, 0);
char* stacks;
void (*thread_function)(void*);
void* thread_closure;

int number_of(const Thread& thread) { return int(&thread - threads.data()); }
int warp_of(const Thread& thread) { return number_of(thread) / 32; }
int lane_of(const Thread& thread) { return number_of(thread) % 32; }

char* stack_of(const Thread& thread) {
    return stacks + number_of(thread) * (STACK_BYTES + GUARD_BYTES) + GUARD_BYTES;
}

void prepare_threads(size_t count) {
    const size_t bytes = count * (STACK_BYTES + GUARD_BYTES);
    stacks = (char*)mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (stacks == MAP_FAILED) fault("no memory for the stacks of %zu threads", count);
    threads = std::vector<Thread>(count);
    for (Thread& thread : threads)
        mprotect(stack_of(thread) - GUARD_BYTES, GUARD_BYTES, PROT_NONE);
}

void run_thread() {
    thread_function(thread_closure);
    current->state = State::ended;
    ended++;
}

void resume(Thread& thread) {
    const unsigned n = unsigned(number_of(thread));
    threadIdx = {n % blockDim.x, n / blockDim.x % blockDim.y, n / blockDim.x / blockDim.y};
    current = &thread;
    thread.fiber.enter();
    current = nullptr;
}

void leave() { current->fiber.leave(); }

void make_ready(Thread& thread) {
    thread.state = State::ready;
    schedule.add(number_of(thread));
}

// ---- who waits for whom ------------------------------------------------------------------------

std::string name_state(const Thread& thread) {
    if (thread.state == State::ended) return "ended";
    if (thread.state == State::ready) return "can run";
    std::string text = std::string("wait in ") + thread.waits_in;
    if (thread.state == State::at_meeting) {
        char mask[32];
        snprintf(mask, sizeof mask, " with mask 0x%08x", thread.mask);
        text += mask;
    }
    return text + ", line " + std::to_string(thread.line);
}

std::string census() {
    std::vector<std::pair<std::string, std::string>> groups;
    for (size_t first = 0, next; first < threads.size(); first = next) {
        const std::string state = name_state(threads[first]);
        for (next = first + 1; next < threads.size() && name_state(threads[next]) == state;) next++;
        std::string range = std::to_string(first);
        if (next - first > 1) range += "-" + std::to_string(next - 1);
        size_t g = 0;
        while (g < groups.size() && groups[g].first != state) g++;
        if (g == groups.size()) groups.push_back({state, range});
        else groups[g].second += ", " + range;
    }
    std::string text;
    for (auto& group : groups) text += "\n  threads " + group.second + ": " + group.first;
    return text;
}

bool meet_each_other(const Thread& a, const Thread& b) {
    return a.state == State::at_meeting && b.state == State::at_meeting && a.mask == b.mask &&
           a.line == b.line && !strcmp(a.waits_in, b.waits_in);
}

unsigned lanes_at_meeting_of(const Thread& thread) {
    unsigned lanes = 0;
    const size_t first = size_t(warp_of(thread)) * 32;
    for (size_t i = first; i < threads.size() && i < first + 32; i++)
        if (meet_each_other(threads[i], thread)) lanes |= 1u << (i - first);
    return lanes;
}

// A lane that the block does not have counts, as in CUDA, as one that has ended long ago.
unsigned lanes_expected_by(const Thread& thread) {
    const size_t rest = threads.size() - size_t(warp_of(thread)) * 32;
    return thread.mask & (rest >= 32 ? ~0u : (1u << rest) - 1);
}

[[noreturn]] void fault_of_deadlock() {
    for (Thread& thread : threads) {
        if (thread.state != State::at_meeting) continue;
        std::string missing;
        const unsigned absent = lanes_expected_by(thread) & ~lanes_at_meeting_of(thread);
        for (int lane = 0; lane < 32; lane++)
            if (absent >> lane & 1) missing += " " + std::to_string(lane);
        fault("incomplete %s: lanes%s of warp %d are named by mask 0x%08x but do not take part%s",
              thread.waits_in, missing.c_str(), warp_of(thread), thread.mask, census().c_str());
    }
    fault("divergent barrier: not every thread of the block comes to it%s", census().c_str());
}

// ---- blocks ------------------------------------------------------------------------------------

void fill_with_garbage(char* from, const char* to) {
    // Word by word: memset is AddressSanitizer's, and the gaps between variables are poisoned.
    for (; to - from >= 4; from += 4) *(volatile unsigned*)from = GARBAGE;
}

void run_block(int threads_in_block) {
    schedule.start_block(threads_in_block);
    interval = at_barrier = ended = 0;
    fill_with_garbage(dynamic_shared, dynamic_shared + (the_launch.shared_bytes + 3) / 4 * 4);
    if (&__start_emulated_shared != &__stop_emulated_shared)
        fill_with_garbage(__start_emulated_shared, __stop_emulated_shared);
    if (races::start_block) races::start_block(threads_in_block);
    for (Thread& thread : threads) {
        thread.fiber.prepare(stack_of(thread), STACK_BYTES, run_thread);
        make_ready(thread);
    }
    for (int next; (next = schedule.take()) >= 0;) resume(threads[next]);
    if (ended < threads_in_block) fault_of_deadlock();
}
}  // namespace

// ---- what kernels and the other parts call -----------------------------------------------------

void run_grid(void (*function)(void*), void* closure) {
    thread_function = function;
    thread_closure = closure;
    schedule = Schedule(the_launch.order, the_launch.seed);
    const int threads_in_block = int(blockDim.x * blockDim.y * blockDim.z);
    prepare_threads(size_t(threads_in_block));
    if (races::track) {
        races::track(dynamic_shared, the_launch.shared_bytes, "dynamic shared memory", true);
        races::track(__start_emulated_shared,
                     size_t(__stop_emulated_shared - __start_emulated_shared),
                     "static shared memory", true);
    }
#ifdef EMULATION_ASAN
    __asan_poison_memory_region(dynamic_shared + the_launch.shared_bytes,
                                MOST_SHARED_BYTES - the_launch.shared_bytes);
#endif
    for (int block : schedule.arrange(int(gridDim.x * gridDim.y * gridDim.z))) {
        const unsigned n = unsigned(block_number = block);
        blockIdx = {n % gridDim.x, n / gridDim.x % gridDim.y, n / gridDim.x / gridDim.y};
        run_block(threads_in_block);
    }
}

int lane() { return lane_of(*current); }

int barrier(const char* name, int predicate, int line) {
    Thread& self = *current;
    self.state = State::at_barrier;
    self.waits_in = name;
    self.line = line;
    self.value = predicate != 0;
    if (++at_barrier == int(threads.size())) {
        unsigned long long held = 0;
        for (Thread& thread : threads) {
            if (thread.line != line || strcmp(thread.waits_in, name))
                fault("divergent barrier: threads of one block wait at different ones%s",
                      census().c_str());
            held += thread.value;
        }
        for (Thread& thread : threads) {
            thread.value = held;
            make_ready(thread);
        }
        at_barrier = 0;
        interval++;
    }
    leave();
    return int(self.value);
}

unsigned long long meet(const char* name, unsigned mask, unsigned long long value, int source,
                        int line) {
    Thread& self = *current;
    if (!(mask >> lane_of(self) & 1))
        fault("%s on line %d: mask 0x%08x does not name lane %d, which calls it", name, line, mask,
              lane_of(self));
    self.state = State::at_meeting;
    self.waits_in = name;
    self.mask = mask;
    self.line = line;
    self.source = source;
    self.value = value;
    const unsigned present = lanes_at_meeting_of(self);
    if (present == lanes_expected_by(self)) {
        Thread* const warp = &threads[size_t(warp_of(self)) * 32];
        unsigned long long sent[32] = {}, bits = 0;
        for (int i = 0; i < 32; i++) {
            if (!(present >> i & 1)) continue;
            sent[i] = warp[i].value;
            bits |= (sent[i] & 1) << i;
        }
        for (int i = 0; i < 32; i++) {
            if (!(present >> i & 1)) continue;
            const int from = warp[i].source;
            // CUDA leaves open what comes from a lane that takes no part, so it is garbage here.
            warp[i].value = from == ALL ? bits
                            : present >> from & 1 ? sent[from]
                                                  : GARBAGE * 0x100000001ull;
            make_ready(warp[i]);
        }
        // Of all of these only __syncwarp orders memory.
        if (races::join && !strcmp(name, "__syncwarp")) races::join(warp_of(self), present);
    }
    leave();
    return self.value;
}

void give_way() {
    schedule.add_last(number_of(*current));
    leave();
}

void fence() {
    if (races::fence) races::fence();
}

Where where() {
    return {current ? number_of(*current) : -1, block_number, interval};
}

std::string name_thread(int thread) {
    const unsigned n = unsigned(thread);
    if (blockDim.y * blockDim.z == 1) return "thread " + std::to_string(n);
    return "thread (" + std::to_string(n % blockDim.x) + ", " +
           std::to_string(n / blockDim.x % blockDim.y) + ", " +
           std::to_string(n / blockDim.x / blockDim.y) + ")";
}

void fault(const char* format, ...) {
    fflush(stdout);
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    if (current)
        fprintf(stderr, "\n  (%s of block (%u, %u, %u))", name_thread(number_of(*current)).c_str(),
                blockIdx.x, blockIdx.y, blockIdx.z);
    fprintf(stderr, "\n");
    _exit(3);
}
}  // namespace emulation
