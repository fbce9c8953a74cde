/* What a compiled XLA program calls: MPI's collectives, and marks on its way.

   XLA calls such a function with the place of its result and those of its operands: the numbers,
   then `Meaning`, then whatever had to be computed before. */
#include <mpi.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <deque>
#include <numeric>
#include <string>
#include <vector>

namespace {

/* `count` elements are sent, at most `largest` in one message. Numbers of elements by rank follow,
   received, or sent and then received; or the rank that sends. */
struct Meaning {
    int64_t operation, type, ranks, count, largest, parts[];
};

/* In the order of `TYPES` and of the operations in xla_calls.py. */
enum { FLOAT, DOUBLE, INT32, INT64 };
enum { SUM, MAXIMUM, MARK, MARK_OF_STEP };
constexpr int64_t OPERATIONS = 8;

constexpr int64_t CAPACITY = 1 << 16;
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

/* A communicator, and how often each operation has begun on it. Another thread reads the counts. */
struct Ranks {
    MPI_Comm communicator;
    std::array<std::atomic<int64_t>, OPERATIONS> begun{};
    explicit Ranks(MPI_Comm made) : communicator(made) {}
};

std::deque<Ranks> joined;
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

/* One collective of a program: its operands in MPI's terms, from its beginning to its end. */
struct Collective {
    const Meaning &meaning;
    const MPI_Comm ranks;
    const MPI_Datatype type;
    const int64_t width;
    const char *from;
    char *to;
    int size, rank;
    double begun;

    Collective(void *out, const void **in)
        : meaning(*static_cast<const Meaning *>(in[1])),
          ranks(joined[meaning.ranks].communicator),
          type(type_of(meaning.type)),
          width(SIZES[meaning.type]),
          from(static_cast<const char *>(in[0])),
          to(static_cast<char *>(out)),
          begun(now()) {
        joined[meaning.ranks].begun[meaning.operation]++;
        MPI_Comm_size(ranks, &size);
        MPI_Comm_rank(ranks, &rank);
    }

    ~Collective() { durations.add(now() - begun); }

    void check(int code) const {
        if (code != MPI_SUCCESS) MPI_Abort(ranks, 1);
    }
};

/* The elements that go to, or come from, each rank, one after another in memory. */
struct Parts {
    std::vector<int64_t> starts, counts;
    int64_t total;

    Parts(const int64_t *parts, int size) : starts(size), counts(parts, parts + size) {
        std::partial_sum(counts.begin(), counts.end() - 1, starts.begin() + 1);
        total = starts.back() + counts.back();
    }

    static std::vector<int> narrow(const std::vector<int64_t> &numbers) {
        return std::vector<int>(numbers.begin(), numbers.end());
    }
};

/* Messages under way, in pieces that MPI can count. */
struct Messages {
    const Collective &call;
    std::vector<MPI_Request> requests;

    template <typename Post>
    void each(int64_t count, const Post &post) {
        for (int64_t first = 0; first < count; first += call.meaning.largest) {
            requests.emplace_back();
            const int part = static_cast<int>(std::min(call.meaning.largest, count - first));
            call.check(post(first * call.width, part, &requests.back()));
        }
    }

    void send(const char *from, int64_t count, int peer) {
        each(count, [&](int64_t offset, int part, MPI_Request *request) {
            return MPI_Isend(from + offset, part, call.type, peer, 0, call.ranks, request);
        });
    }

    void receive(char *to, int64_t count, int peer) {
        each(count, [&](int64_t offset, int part, MPI_Request *request) {
            return MPI_Irecv(to + offset, part, call.type, peer, 0, call.ranks, request);
        });
    }

    void wait() {
        const int count = static_cast<int>(requests.size());
        call.check(MPI_Waitall(count, requests.data(), MPI_STATUSES_IGNORE));
    }
};

void reduce(void *out, const void **in) {
    const Collective call(out, in);
    const MPI_Op operation = call.meaning.operation == SUM ? MPI_SUM : MPI_MAX;
    for (int64_t first = 0; first < call.meaning.count; first += call.meaning.largest) {
        const int count =
            static_cast<int>(std::min(call.meaning.largest, call.meaning.count - first));
        char *to = call.to + first * call.width;
        const void *from = call.from + first * call.width;
        if (from == to) from = MPI_IN_PLACE;
        call.check(MPI_Allreduce(from, to, count, call.type, operation, call.ranks));
    }
}

void gather(void *out, const void **in) {
    const Collective call(out, in);
    const Parts received(call.meaning.parts, call.size);
    const int64_t own = call.meaning.count;
    if (received.total <= call.meaning.largest) {
        const auto counts = Parts::narrow(received.counts), starts = Parts::narrow(received.starts);
        call.check(MPI_Allgatherv(call.from, static_cast<int>(own), call.type, call.to,
                                  counts.data(), starts.data(), call.type, call.ranks));
        return;
    }
    Messages messages{call, {}};
    for (int rank = 0; rank < call.size; rank++) {
        char *to = call.to + received.starts[rank] * call.width;
        messages.receive(to, received.counts[rank], rank);
    }
    for (int rank = 0; rank < call.size; rank++) messages.send(call.from, own, rank);
    messages.wait();
}

void alltoall(void *out, const void **in) {
    const Collective call(out, in);
    const Parts sent(call.meaning.parts, call.size);
    const Parts received(call.meaning.parts + call.size, call.size);
    Messages messages{call, {}};
    /* Each begins with another rank, and none sends or receives what is not there. */
    for (int step = 0; step < call.size; step++) {
        const int below = (call.rank + call.size - step) % call.size;
        const int above = (call.rank + step) % call.size;
        char *to = call.to + received.starts[below] * call.width;
        messages.receive(to, received.counts[below], below);
        messages.send(call.from + sent.starts[above] * call.width, sent.counts[above], above);
    }
    messages.wait();
}

/* Slabs go to the neighbours, the first half to the lower one; beyond the ends there is nothing. */
void exchange(void *out, const void **in) {
    const Collective call(out, in);
    const int64_t count = call.meaning.count / 2, half = count * call.width;
    Messages messages{call, {}};
    for (int side = 0; side < 2; side++) {
        const int peer = call.rank + (side == 0 ? -1 : 1);
        if (peer < 0 || peer == call.size) {
            std::memset(call.to + side * half, 0, half);
            continue;
        }
        messages.receive(call.to + side * half, count, peer);
        messages.send(call.from + side * half, count, peer);
    }
    messages.wait();
}

void broadcast(void *out, const void **in) {
    const Collective call(out, in);
    const int root = static_cast<int>(call.meaning.parts[0]);
    const int64_t size = call.meaning.count * call.width;
    if (call.rank == root && call.from != call.to) std::memcpy(call.to, call.from, size);
    for (int64_t first = 0; first < call.meaning.count; first += call.meaning.largest) {
        const int count =
            static_cast<int>(std::min(call.meaning.largest, call.meaning.count - first));
        call.check(MPI_Bcast(call.to + first * call.width, count, call.type, root, call.ranks));
    }
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
    using Function = void (*)(void *, const void **);
    void *registry = reinterpret_cast<void *(*)()>(global)();
    const auto add_to = reinterpret_cast<Add>(add);
    const auto make_known = [&](const char *name, Function function) {
        add_to(registry, name, reinterpret_cast<void *>(function), "Host");
    };
    make_known("pdehvd_reduce", reduce);
    make_known("pdehvd_gather", gather);
    make_known("pdehvd_alltoall", alltoall);
    make_known("pdehvd_exchange", exchange);
    make_known("pdehvd_broadcast", broadcast);
    make_known("pdehvd_mark", mark);
}

/* Returns the number by which `Meaning` names the communicator. */
int64_t pdehvd_join(void *communicator) {
    joined.emplace_back(*static_cast<MPI_Comm *>(communicator));
    return static_cast<int64_t>(joined.size()) - 1;
}

/* Puts how often each operation has begun on a communicator into memory for `OPERATIONS` numbers. */
void pdehvd_begun(int64_t ranks, int64_t *into) {
    std::copy(joined[ranks].begun.begin(), joined[ranks].begun.end(), into);
}

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
