/**
 * imglab/drivers: driver packages for the lab's base image, and some that must be
 * refused. The INF texts are ours, the .sys files are synthetic programs, the
 * catalogs are signed as the update packages' are.
 *
 *     labdisk/     a storage controller, boot-critical; its INF is UTF-16, its .sys known by Authenticode digest
 *     labnic/      a network card, started on demand: only staged; Include, Needs, localized strings, a co-installer
 *     labfilter/   without devices: DefaultInstall of a file system filter that starts at boot
 *     refused/nocatalog/  the catalog that the INF names is missing
 *     refused/unsigned/   the INF names no catalog
 *     refused/unknown/    signed below the unknown root
 *     refused/changed/    the .sys is not the one that was signed
 *     refused/escape/     a folder of a file leads out of the package, by ".."
 *     refused/arm64/      for another architecture
 *     refused/owned/      would replace a file that a component of Windows owns
 *     refused/lost/       copies a file that was not delivered
 */
#ifndef IMGLAB_DRIVERS_H
#define IMGLAB_DRIVERS_H

#include "base/base.h"

/**
 * `imglab drivers -o DIR`: write all packages.
 * @param seed  the one of the base image and the certificates
 * @param dir   made when missing
 */
bool lab_drivers_write(uint64_t seed, const char *dir, struct ib_error **err) IB_MUST_CHECK;

#endif
