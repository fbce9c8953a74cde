/* Preloaded into mpirun: a socket that would listen on all interfaces listens on the loopback one.

   Open MPI 4 binds the listener of its daemons to all addresses, whatever oob_tcp_if_include says,
   and whoever connects needs no secret. On one host nobody else has to reach it. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

typedef int (*bind_function)(int, const struct sockaddr *, socklen_t);

int bind(int handle, const struct sockaddr *address, socklen_t length)
{
    bind_function next = (bind_function)dlsym(RTLD_NEXT, "bind");
    struct sockaddr_in four;
    struct sockaddr_in6 six;
    if (address && address->sa_family == AF_INET && length >= sizeof four) {
        memcpy(&four, address, sizeof four);
        if (four.sin_addr.s_addr == htonl(INADDR_ANY)) {
            four.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
            return next(handle, (struct sockaddr *)&four, sizeof four);
        }
    }
    if (address && address->sa_family == AF_INET6 && length >= sizeof six) {
        memcpy(&six, address, sizeof six);
        if (IN6_IS_ADDR_UNSPECIFIED(&six.sin6_addr)) {
            six.sin6_addr = in6addr_loopback;
            return next(handle, (struct sockaddr *)&six, sizeof six);
        }
    }
    return next(handle, address, length);
}
