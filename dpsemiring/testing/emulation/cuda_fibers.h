// A fiber: a function on a stack of its own, entered and left at will by one scheduler.
//
// ucontext starts it; after that setjmp and longjmp switch, which spares two system calls each
// time. Both are looked up in the C library by hand: AddressSanitizer puts its own versions in
// front, and those wipe what it knows about the frames of a stack that is left.
#pragma once

#include <dlfcn.h>
#include <setjmp.h>
#include <stddef.h>
#include <ucontext.h>

#include "cuda_scheduler.h"

#ifdef EMULATION_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

namespace emulation {

template <class Function>
Function* from_c_library(const char* name) {
    void* const library = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);
    void* const found = library ? dlsym(library, name) : nullptr;
    if (!found) fault("the emulation needs the GNU C library: it found no %s", name);
    return (Function*)found;
}

class Fiber {
  public:
    void prepare(char* stack, size_t bytes, void (*function)()) {
        stack_ = stack;
        bytes_ = bytes;
        function_ = function;
        started_ = false;
    }

    void enter() {
        entered_ = this;
        announce(stack_, bytes_);
        if (!_setjmp(scheduler_)) {
            if (started_) jump()(left_at_, 1);
            start();
        }
        arrive();
    }

    void leave() {
        announce(scheduler_stack_, scheduler_bytes_);
        if (!_setjmp(left_at_)) jump()(scheduler_, 1);
        arrive();
    }

  private:
    void start() {
        started_ = true;
        getcontext(&entry_);
        entry_.uc_stack.ss_sp = stack_;
        entry_.uc_stack.ss_size = bytes_;
        entry_.uc_link = nullptr;
        makecontext(&entry_, run, 0);
        static const auto set_context = from_c_library<int(const ucontext_t*)>("setcontext");
        set_context(&entry_);
    }

    static void run() {
        arrive(&scheduler_stack_, &scheduler_bytes_);
        entered_->function_();
        announce(scheduler_stack_, scheduler_bytes_);
        jump()(scheduler_, 1);
    }

    static auto jump() -> void (*)(jmp_buf, int) {
        static const auto longjmp_ = from_c_library<void(jmp_buf, int)>("_longjmp");
        return longjmp_;
    }

#ifdef EMULATION_ASAN
    static void announce(const void* stack, size_t bytes) {
        __sanitizer_start_switch_fiber(nullptr, stack, bytes);
    }
    static void arrive(const void** left = nullptr, size_t* bytes = nullptr) {
        __sanitizer_finish_switch_fiber(nullptr, left, bytes);
    }
#else
    static void announce(const void*, size_t) {}
    static void arrive(const void** = nullptr, size_t* = nullptr) {}
#endif

    inline static Fiber* entered_ = nullptr;
    inline static jmp_buf scheduler_;
    inline static const void* scheduler_stack_ = nullptr;
    inline static size_t scheduler_bytes_ = 0;

    char* stack_;
    size_t bytes_;
    void (*function_)();
    bool started_;
    ucontext_t entry_;
    jmp_buf left_at_;
};
}  // namespace emulation
