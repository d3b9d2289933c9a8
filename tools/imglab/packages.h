/**
 * imglab/packages: update packages for the lab's base image, and some that must
 * be refused. docs of each file: packages.c.
 */
#ifndef IMGLAB_PACKAGES_H
#define IMGLAB_PACKAGES_H

#include "base/base.h"

/**
 * `imglab packages -o DIR [--seed N]`: write all packages and the lab's PEM roots.
 * @param seed  same seed, same bytes
 * @param dir   made when missing
 */
bool lab_packages_write(uint64_t seed, const char *dir, struct ib_error **err) IB_MUST_CHECK;

#endif
