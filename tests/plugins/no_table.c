/* SPDX-License-Identifier: MPL-2.0 */
/* A shared library that is no plug-in. */
int answer(void);

int answer(void) {
    return 42;
}
