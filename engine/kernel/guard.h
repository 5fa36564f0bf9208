/* Reading mapped files without dying of them.
 *
 * A page of a map that the file no longer has, or that the medium cannot deliver, kills whoever
 * touches it with SIGBUS. Inside `guarded` the signal ends the call instead, and `guarded` returns
 * nonzero. What runs inside must own nothing: no lock, no allocation, no Python object.
 *
 * Signals that come from elsewhere go to the handler that was there before.
 */

#ifndef LITHOGRAPH_GUARD_H
#define LITHOGRAPH_GUARD_H

#include <setjmp.h>
#include <signal.h>
#include <string.h>

static __thread sigjmp_buf guard_place;
static __thread volatile sig_atomic_t guard_depth = 0;
static struct sigaction guard_previous;

static void guard_handle(int number, siginfo_t *info, void *context)
{
    if (guard_depth) {
        guard_depth = 0;
        siglongjmp(guard_place, 1);
    }
    if (guard_previous.sa_flags & SA_SIGINFO) {
        guard_previous.sa_sigaction(number, info, context);
    } else if (guard_previous.sa_handler == SIG_DFL || guard_previous.sa_handler == SIG_IGN) {
        /* The instruction runs again, without this handler. */
        sigaction(number, &guard_previous, NULL);
    } else {
        guard_previous.sa_handler(number);
    }
}

/* Take SIGBUS over; return 0, or -1 if the system refuses. */
static int guard_install(void)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = guard_handle;
    /* Not blocked while it is handled: siglongjmp leaves the handler without a return. */
    action.sa_flags = SA_SIGINFO | SA_NODEFER;
    sigemptyset(&action.sa_mask);
    return sigaction(SIGBUS, &action, &guard_previous);
}

/* Call `work(what)`; return 0, or 1 if a page could not be had. */
static int guarded(void (*work)(void *), void *what)
{
    if (sigsetjmp(guard_place, 0)) {
        return 1;
    }
    guard_depth = 1;
    work(what);
    guard_depth = 0;
    return 0;
}

#endif
