// From the untyped arguments of a launch to a typed call: included after the kernel text.
//
// The kernel's own type says how each argument is read, so that no signature is parsed and
// typedefs and macros in it cost nothing.
#pragma once

#include <utility>

namespace emulation {
// What the launch gave for one parameter, checked against the declared type.
void* array_argument(int index, char kind, int size, bool writes);
long long integer_argument(int index, char kind, int size);
double real_argument(int index, int size);
void check_argument_count(int declared);
void run_grid(void (*thread)(void*), void* closure);

template <class T>  // NumPy's letters; a struct or void takes any array
constexpr char kind = !std::is_arithmetic_v<T> ? '?' : std::is_floating_point_v<T> ? 'f'
                      : std::is_same_v<T, bool> ? 'b' : std::is_signed_v<T> ? 'i' : 'u';

template <class T>
T argument(int index) {
    if constexpr (std::is_pointer_v<T>) {
        using Item = std::remove_pointer_t<T>;
        using Plain = std::remove_cv_t<Item>;
        constexpr int size = sizeof(std::conditional_t<std::is_void_v<Plain>, char, Plain>);
        return T(array_argument(index, kind<Plain>, size, !std::is_const_v<Item>));
    } else {
        static_assert(std::is_arithmetic_v<T>, "kernel parameters are pointers or numbers");
        if constexpr (std::is_floating_point_v<T>) return T(real_argument(index, sizeof(T)));
        else return T(integer_argument(index, kind<T>, sizeof(T)));
    }
}

// No tuple: for a kernel of sixty parameters one costs the compiler more than the kernel.
template <class... A>
void launch_with(void (*kernel)(A...), std::remove_cv_t<A>... arguments) {
    auto thread = [&] { kernel(arguments...); };
    run_grid([](void* closure) { (*static_cast<decltype(thread)*>(closure))(); }, &thread);
}
template <class... A, std::size_t... I>
void launch(void (*kernel)(A...), std::index_sequence<I...>) {
    check_argument_count(sizeof...(A));
    launch_with(kernel, argument<std::remove_cv_t<A>>(I)...);
}
template <class... A>
void launch(void (*kernel)(A...)) {
    launch(kernel, std::index_sequence_for<A...>());
}

struct Kernel {
    const char* name;
    void (*launch)();
};
extern const Kernel kernels[];  // written after the text; ends with a null name
}  // namespace emulation
