/* Preloaded into a program that is for root alone, and that in a test needs
 * nothing of root's: it is told that it is root. */
#include <sys/types.h>

__attribute__((visibility("default"))) uid_t getuid(void);

uid_t
getuid(void)
{
	return 0;
}
