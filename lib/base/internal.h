/* base, private: system calls that a test can make fail. */
#ifndef IB_BASE_INTERNAL_H
#define IB_BASE_INTERNAL_H

#include "base/base.h"

#include <sys/types.h>

/** Whether the armed fault falls on this call; sets errno when it does. */
bool ib_fault_hit(void);

#endif
