/**
 * imglab/packages: update packages for the lab's base image, and some that must
 * be refused.
 *
 *     windows10.0-kb5005112-x64.msu   servicing stack 17763.2170
 *     windows10.0-kb5001384-x64.msu   4C of 2021, cumulative, 17763.1911
 *     windows10.0-kb5005568-x64.msu   9B of 2021, cumulative, 17763.2183; needs the servicing stack
 *     windows10.0-kb5006672-x64.msu   10B of 2021, cumulative, 17763.2237; the same, and supersedes 9B
 *     psfx/…                          the three cumulative updates as Windows 10 1809 and later get them: forward
 *                                     and reverse differentials against the base's files, compressed manifests
 *     containers/…                    the same in other containers, see containers.h; wrong ones in refused/containers/
 *     Lab-OpenTools-FoD-Package~31bf3856ad364e35~amd64~~.cab   on demand, capability Lab.OpenTools 1.0
 *     on-demand/…                     the same as a disc of features on demand: its parts for en-US and zh-CN, more that
 *                                     depends on it (Lab.OpenTools.Extra), what only languages have (Lab.Language.Basic, .Speech)
 *     sxs/Microsoft-Windows-NetFx3-OnDemand-Package~31bf3856ad364e35~amd64~~.cab   feature NetFx3, as in a medium's
 *                                     sources\sxs; 9B and 10B hold newer versions of it
 *     refused/windows10.0-kb5005565-x64.msu          for build 19041: does not apply
 *     refused/windows10.0-kb5005568-x64-payload.msu  9B, a payload file differs from its manifest
 *     refused/windows10.0-kb5005568-x64-manifest.msu 9B, a manifest is not the one in the catalog
 *     refused/windows10.0-kb5005568-x64-unsigned.msu 9B without catalogs
 *     refused/windows10.0-kb5005568-x64-unknown.msu  9B signed below the unknown root
 *     refused/psfx/…-target.msu       a differential that makes another file than the manifest names
 *     refused/psfx/…-manifest.msu     a compressed manifest is not the one in the catalog
 *     refused/psfx/…-delta.msu        a differential with a changed byte
 *     refused/psfx/…-base.msu         a differential against a file that no image has
 *     refused/psfx/…-noreverse.msu    no reverse differentials: installs, but 10B cannot be rebuilt from its files
 *
 * Copies of 9B that are wrong and other containers are made for a small world only.
 */
#ifndef IMGLAB_PACKAGES_H
#define IMGLAB_PACKAGES_H

#include "content.h"

/**
 * `imglab packages -o DIR`: write all packages. The base image, the packages and
 * the certificates (lab_certs_write) of one seed belong together.
 *
 * @param options  the same that made the base image; borrowed
 * @param dir      made when missing
 */
bool lab_packages_write(const struct lab_world_options *options, const char *dir, struct ib_error **err)
	IB_MUST_CHECK;

#endif
