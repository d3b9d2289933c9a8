/**
 * imglab/novelty: components that no base image has. Updates and features on
 * demand bring them.
 */
#ifndef IMGLAB_NOVELTY_H
#define IMGLAB_NOVELTY_H

#include "model.h"

/** A new component and the base package whose images get it. */
struct lab_novelty {
	const char *owner; /**< name of a base package */
	struct lab_component *component;
};

/**
 * What 9B brings that was not there: a service with registry values of every
 * type, a directory, a second hard link, a firewall rule; and its resources.
 *
 * @param version  of the components
 * @return struct lab_novelty, in the arena
 */
GPtrArray *lab_novelties(struct lab_arena *a, uint64_t seed, const char *version);

/** The feature on demand: a root with two children, capability Lab.OpenTools 1.0, without parents yet. */
struct lab_package *lab_open_tools(struct lab_arena *a, uint64_t seed, const char *version);

/** Its part for a language: a package of its own of the same name. */
struct lab_package *lab_open_tools_language(struct lab_arena *a, uint64_t seed, const char *version, const char *language);

/** More of it: capability Lab.OpenTools.Extra 1.0, which depends on Lab.OpenTools 1.0. */
struct lab_package *lab_open_tools_extra(struct lab_arena *a, uint64_t seed, const char *version);

/**
 * A capability that only languages have, as Windows' language features: Lab.Language.Basic 1.0, and
 * Lab.Language.Speech 1.0, which depends on it. stem: "Basic", "Speech"
 */
struct lab_package *lab_language_feature(struct lab_arena *a, uint64_t seed, const char *version, const char *stem,
					 const char *language);

/** The feature's core as a later cumulative update brings it. */
struct lab_component *lab_open_tools_core(struct lab_arena *a, uint64_t seed, const char *version);

/** The package that brings .NET 3.5, and its feature. */
#define LAB_NETFX3_PACKAGE "Microsoft-Windows-NetFx3-OnDemand-Package"
#define LAB_NETFX3_FEATURE "NetFx3"

/** That package, without parents yet: a feature that is off until somebody turns it on. */
struct lab_package *lab_netfx3(struct lab_arena *a, uint64_t seed, const char *version);

/** Its components in another version, as a cumulative update brings them. @return struct lab_component, in the arena */
GPtrArray *lab_netfx3_components(struct lab_arena *a, uint64_t seed, const char *version);

/** The recovery tools as a Safe OS update brings them: other bytes at the same places. */
struct lab_component *lab_recovery_tools(struct lab_arena *a, uint64_t seed, const char *version);

/** A program of Setup with a version. g_bytes_unref. */
GBytes *lab_setup_program(uint64_t seed, const char *name, const char *version);

/**
 * What any installer of updates can do: files at their places and values of four types, for 64-bit and for 32-bit
 * programs. @return struct lab_component, in the arena
 */
GPtrArray *lab_plain_components(struct lab_arena *a, uint64_t seed, const char *version);

/** A component of another build: one driver. */
struct lab_component *lab_other_build(struct lab_arena *a, uint64_t seed, const char *version);

#endif
