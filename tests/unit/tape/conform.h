/*
 * The same examination of every transport: a whole tape life through it,
 * against a drive that runs as a process of its own.
 */
#ifndef TESTS_UNIT_TAPE_CONFORM_H
#define TESTS_UNIT_TAPE_CONFORM_H

/* argv of this program, run again as `PROGRAM conform SPEC SOCKET PROFILE`:
 * SPEC is vtape:SOCKET or a /dev/sgN that the preload library answers; SOCKET
 * is the operator's way to the drive; PROFILE is how vtaped was started.
 * Exit status 0, or 1 with one line that says what did not hold. */
int conform_main(const char *spec, const char *socket, const char *profile);

#endif
