/* What a compiled XLA program calls: MPI's reductions over the ranks, and marks on its way.

   XLA calls such a function with the place of its result and those of its operands: the numbers,
   then `Meaning`, then whatever had to be computed before. */
#include <mpi.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <string>

namespace {

struct Meaning {
    int64_t count, type, operation;
};

/* In the order of `TYPES` and `OPERATIONS` in xla_calls.py. */
enum { FLOAT, DOUBLE, INT32, INT64 };
enum { SUM, MAXIMUM, MARK, MARK_OF_STEP };

constexpr int64_t CAPACITY = 1 << 16, LARGEST = 1 << 30;
constexpr int64_t SIZES[] = {4, 8, 4, 8};

struct Notes {
    int64_t count = 0;
    double numbers[CAPACITY];
    void add(double number) {
        if (count < CAPACITY) numbers[count++] = number;
    }
    int64_t take(double *into) {
        std::copy(numbers, numbers + count, into);
        const int64_t taken = count;
        count = 0;
        return taken;
    }
};

MPI_Comm ranks = MPI_COMM_NULL;
Notes durations, steps;
int64_t messages = 0, bytes = 0;

double now() {
    timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + 1e-9 * time.tv_nsec;
}

MPI_Datatype type_of(int64_t type) {
    switch (type) {
        case FLOAT: return MPI_FLOAT;
        case DOUBLE: return MPI_DOUBLE;
        case INT32: return MPI_INT32_T;
        default: return MPI_INT64_T;
    }
}

void reduce(void *out, const void **in) {
    const auto &meaning = *static_cast<const Meaning *>(in[1]);
    const MPI_Op operation = meaning.operation == SUM ? MPI_SUM : MPI_MAX;
    const MPI_Datatype type = type_of(meaning.type);
    const int64_t size = SIZES[meaning.type];
    const double before = now();
    for (int64_t first = 0; first < meaning.count; first += LARGEST) {
        const int count = static_cast<int>(std::min(LARGEST, meaning.count - first));
        char *to = static_cast<char *>(out) + first * size;
        const void *from = static_cast<const char *>(in[0]) + first * size;
        if (from == to) from = MPI_IN_PLACE;
        const int code = MPI_Allreduce(from, to, count, type, operation, ranks);
        if (code != MPI_SUCCESS) MPI_Abort(ranks, 1);
    }
    durations.add(now() - before);
}

void mark(void *out, const void **in) {
    const auto &meaning = *static_cast<const Meaning *>(in[1]);
    const int64_t size = meaning.count * SIZES[meaning.type];
    std::memmove(out, in[0], size);
    messages += 1;
    bytes += size;
    if (meaning.operation == MARK_OF_STEP) steps.add(now());
}

}  // namespace

extern "C" {

/* Makes the functions known to XLA: the registry's two functions are called by their addresses,
   for TensorFlow's libraries export them and ship nothing to link with. */
void pdehvd_register(void *global, void *add) {
    using Add = void (*)(void *, const std::string &, void *, const std::string &);
    void *registry = reinterpret_cast<void *(*)()>(global)();
    const auto known = reinterpret_cast<Add>(add);
    known(registry, "pdehvd_reduce", reinterpret_cast<void *>(reduce), "Host");
    known(registry, "pdehvd_mark", reinterpret_cast<void *>(mark), "Host");
}

void pdehvd_join(void *communicator) { ranks = *static_cast<MPI_Comm *>(communicator); }

int pdehvd_version(char *into) {
    int length = 0;
    MPI_Get_library_version(into, &length);
    return length;
}

int64_t pdehvd_capacity() { return CAPACITY; }
int64_t pdehvd_durations(double *into) { return durations.take(into); }
int64_t pdehvd_steps(double *into) { return steps.take(into); }
int64_t pdehvd_messages() { return messages; }
int64_t pdehvd_bytes() { return bytes; }
}
