// The executable: one launch, described by its command line; arrays come and go through a file.
//
//   program kernel gx,gy,gz bx,by,bz shared-bytes order seed array-file argument...
//
// An argument is null, array:<kind>:<item size>:<bytes>:<offset in file>:<r|w>, or a number:
// int:<value> and real:<hex> convert to what the kernel declares (Python's numbers), and
// <kind><size>:<value> must be just what it declares (NumPy's numbers).
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

#include "cuda_scheduler.h"
// Last, for its macros would disturb the C++ library's headers.
#include "cuda_emulation.h"
#include "cuda_launch.h"

#ifdef EMULATION_ASAN
#include <sanitizer/asan_interface.h>
#endif

namespace emulation {
namespace {

struct Array {
    std::string name;
    size_t offset, bytes;
    char* memory;
    bool written;
};

std::vector<Array> arrays;
std::vector<char*> arguments;
char* file;

std::string name_argument(int index) { return "argument " + std::to_string(index + 1); }

std::string name_type(char kind, int size) { return kind + std::to_string(size); }

// A copy of just that size: on a GPU too the arrays are not where the host's are, and
// AddressSanitizer then sees both ends. The poisoned margins are wide, for the mistakes in index
// arithmetic are of a row rather than of an element.
char* allocate(size_t bytes) {
    const size_t margin = (std::max<size_t>(bytes, 64 * 1024) + 255) / 256 * 256;
    char* const whole = (char*)aligned_alloc(256, margin + (bytes + 255) / 256 * 256 + margin);
    if (!whole) fault("no memory for an array of %zu bytes", bytes);
    char* const memory = whole + margin;
#ifdef EMULATION_ASAN
    __asan_poison_memory_region(whole, margin);
    __asan_poison_memory_region(memory + bytes, (256 - bytes % 256) % 256 + margin);
#endif
    return memory;
}

Array& array_at(size_t offset, size_t bytes, int index) {
    for (Array& array : arrays)
        if (array.offset == offset) return array;  // the same array, given twice
    arrays.push_back({name_argument(index), offset, bytes, allocate(bytes), false});
    memcpy(arrays.back().memory, file + offset, bytes);
    return arrays.back();
}

dim3 dimensions(const char* text) {
    dim3 result;
    if (sscanf(text, "%u,%u,%u", &result.x, &result.y, &result.z) != 3)
        fault("not three numbers: %s", text);
    return result;
}

// The number behind the colon, if what stands before it is `python` or the declared type.
const char* number(int index, const char* python, const std::string& declared) {
    const char* const text = arguments[size_t(index)];
    const char* const colon = strchr(text, ':');
    const std::string given(text, colon ? size_t(colon - text) : strlen(text));
    if (given != python && given != declared)
        fault("%s is %s, where the kernel declares %s", name_argument(index).c_str(),
              given.c_str(), declared.c_str());
    return colon + 1;
}
}  // namespace

void check_argument_count(int declared) {
    if (declared != int(arguments.size()))
        fault("%zu arguments are given to a kernel of %d", arguments.size(), declared);
}

void* array_argument(int index, char kind, int size, bool writes) {
    const char* const text = arguments[size_t(index)];
    const std::string name = name_argument(index);
    if (!strcmp(text, "null")) return nullptr;
    char given, access;
    int given_size;
    size_t bytes, offset;
    if (sscanf(text, "array:%c:%d:%zu:%zu:%c", &given, &given_size, &bytes, &offset, &access) != 5)
        fault("%s is the number %s, where the kernel declares an array", name.c_str(), text);
    const bool both_bytes = given_size == 1 && size == 1;  // char for int8, uint8 and bool alike
    if (kind != '?' && !both_bytes && (given != kind || given_size != size))
        fault("%s is an array of %s, where the kernel declares %s", name.c_str(),
              name_type(given, given_size).c_str(), name_type(kind, size).c_str());
    if (bytes % size_t(size))
        fault("%s has %zu bytes, not a multiple of the %d of an item", name.c_str(), bytes, size);
    if (writes && access == 'r')
        fault("%s is a read-only array, where the kernel may write", name.c_str());
    Array& array = array_at(offset, bytes, index);
    if (writes && !array.written && races::track)
        races::track(array.memory, array.bytes, array.name.c_str(), false);
    array.written |= writes;
    return array.memory;
}

long long integer_argument(int index, char kind, int size) {
    errno = 0;
    const char* const text = number(index, "int", name_type(kind, size));
    const bool large = kind == 'u' && size == 8;
    const long long value =
        large ? (long long)strtoull(text, nullptr, 10) : strtoll(text, nullptr, 10);
    const int bits = kind == 'b' ? 1 : size * 8 - (kind == 'i');
    const long long magnitude = value < 0 ? ~value : value;
    if (errno || (kind != 'i' && *text == '-') || (bits < 63 && magnitude >> bits))
        fault("%s is %s, which %s cannot hold", name_argument(index).c_str(), text,
              name_type(kind, size).c_str());
    return value;
}

double real_argument(int index, int size) {
    const bool whole = !strncmp(arguments[size_t(index)], "int:", 4);
    return strtod(number(index, whole ? "int" : "real", name_type('f', size)), nullptr);
}
}  // namespace emulation

#ifdef EMULATION_ASAN
namespace emulation {
void name_culprit() {
    const Where at = where();
    if (at.thread >= 0)
        fprintf(stderr, "bad access or arithmetic by %s of block (%u, %u, %u)\n",
                name_thread(at.thread).c_str(), blockIdx.x, blockIdx.y, blockIdx.z);
}
}  // namespace emulation

extern "C" void __ubsan_on_report() { emulation::name_culprit(); }

extern "C" void __asan_on_error() {
    using namespace emulation;
    name_culprit();
    const char* const bad = (const char*)__asan_get_report_address();
    const auto report = [&](const char* start, size_t bytes, const std::string& name) {
        const long long margin = (long long)std::max<size_t>(bytes, 64 * 1024);
        const long long at_byte = bad - start;
        if (at_byte >= -margin && at_byte < (long long)bytes + margin)
            fprintf(stderr, "  at byte %lld of %s, which has %zu bytes\n", at_byte, name.c_str(),
                    bytes);
    };
    for (const Array& array : arrays) report(array.memory, array.bytes, array.name);
    report(dynamic_shared, the_launch.shared_bytes, "dynamic shared memory");
}
#endif

int main(int count, char** given) {
    using namespace emulation;
    if (count < 8) fault("usage: see cuda_main.cpp");
    const char* const kernel_name = given[1];
    gridDim = dimensions(given[2]);
    blockDim = dimensions(given[3]);
    the_launch.shared_bytes = strtoull(given[4], nullptr, 10);
    the_launch.order = !strcmp(given[5], "ascending")    ? Order::ascending
                     : !strcmp(given[5], "descending") ? Order::descending
                                                       : Order::shuffled;
    the_launch.seed = strtoull(given[6], nullptr, 10);
    arguments.assign(given + 8, given + count);

    const int opened = open(given[7], O_RDWR);
    struct stat status;
    if (opened < 0 || fstat(opened, &status)) fault("cannot open %s", given[7]);
    const size_t bytes = size_t(status.st_size);
    if (bytes) {
        file = (char*)mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, opened, 0);
        if (file == MAP_FAILED) fault("cannot map %s", given[7]);
    }
    const Kernel* kernel = kernels;
    while (kernel->name && strcmp(kernel->name, kernel_name)) kernel++;
    if (!kernel->name) fault("no kernel of the name %s", kernel_name);
    kernel->launch();
    for (const Array& array : arrays)
        if (array.written) memcpy(file + array.offset, array.memory, array.bytes);
}
