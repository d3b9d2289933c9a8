/* Leaks on purpose: registered WILL_FAIL, so that a run in which leaks pass unnoticed is red. */
#include <stdlib.h>

#include <criterion/criterion.h>

Test(canary, leak)
{
	char *volatile p = malloc(33);

	p[0] = 1;
	p = NULL;
	cr_assert(1);
}
