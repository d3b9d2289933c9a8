/**
 * imglab/model: packages, deployments, components and what they bring, as the
 * laboratory means them; and their texts (.mum, .manifest) in Windows' own shape.
 *
 * Everything here lives in an arena: structures, strings and arrays are made
 * with it, are borrowed from it, and go when it goes. Literal strings may be
 * mixed in freely. Nothing here can fail (GLib aborts when memory is out), and
 * nothing depends on clock, locale or hash order.
 */
#ifndef IMGLAB_MODEL_H
#define IMGLAB_MODEL_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Microsoft's public key token, as in every package of Windows. */
#define LAB_TOKEN "31bf3856ad364e35"

/** The descriptor's name in manifests, and its text on Windows 10. */
#define LAB_WRP_FILE "WRP_FILE_DEFAULT_SDDL"
#define LAB_WRP_KEY "WRP_REGKEY_DEFAULT_SDDL"
extern const char lab_sddl_wrp_file[];
extern const char lab_sddl_wrp_key[];

/* ---- arena ---- */

struct lab_arena;

/** A new arena; free with lab_arena_free(). */
struct lab_arena *lab_arena_new(void);
/** Free it with all that was made in it; NULL is fine. */
void lab_arena_free(struct lab_arena *a);
/** Zeroed memory. */
void *lab_alloc(struct lab_arena *a, size_t size);
/** Formatted text. */
const char *lab_printf(struct lab_arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/** Keep an object until the arena goes. @return object */
void *lab_keep(struct lab_arena *a, void *object, GDestroyNotify destroy);
/** A pointer array that lives in the arena and owns none of its elements. */
GPtrArray *lab_array(struct lab_arena *a);

/* ---- identities ---- */

/** An assemblyIdentity. NULL: not present in the XML, neither in the hash. */
struct lab_identity {
	const char *name;
	const char *version;  /**< "10.0.17763.1" */
	const char *arch;     /**< amd64, wow64, x86, msil */
	const char *culture;  /**< "neutral", "en-US" */
	const char *token;    /**< 16 hex digits */
	const char *type;     /**< NULL, "win32", "win32-policy", "dualModeDriver" */
	const char *scope;    /**< NULL (packages, win32 assemblies) or "nonSxS" (components) */
};

/** A component's identity: LAB_TOKEN, versionScope nonSxS. */
struct lab_identity lab_component_identity(const char *name, const char *version, const char *arch,
					   const char *culture);
/** A package's identity: LAB_TOKEN, no scope. */
struct lab_identity lab_package_identity(const char *name, const char *version, const char *arch,
					 const char *culture);

/* ---- what a component brings ---- */

struct lab_file {
	const char *name;             /**< payload: WinSxS\<keyform>\<name> */
	const char *destination_path; /**< "$(runtime.system32)\"; NULL: in the store only */
	const char *destination_name; /**< NULL: name. Windows' own manifests never differ; so do the lab's */
	GBytes *bytes;                /**< the payload, complete */
	const char *sddl;             /**< descriptor name, usually LAB_WRP_FILE; NULL: none */
	const char *link;             /**< one more hard link, full macro path; or NULL */
	const char *attributes;       /**< manifest attribute text or NULL */
};

struct lab_directory {
	const char *path;  /**< "$(runtime.programFiles)\CMIT\" */
	const char *sddl;  /**< descriptor name or NULL */
	bool owner;
};

/** Registry types by number, as regf stores them. */
enum lab_regtype {
	LAB_REG_NONE = 0,
	LAB_REG_SZ = 1,
	LAB_REG_EXPAND_SZ = 2,
	LAB_REG_BINARY = 3,
	LAB_REG_DWORD = 4,
	LAB_REG_MULTI_SZ = 7,
	LAB_REG_QWORD = 11,
};

struct lab_regvalue {
	const char *name;  /**< "" is the default value */
	uint32_t type;     /**< enum lab_regtype, or any raw number */
	/**
	 * In manifest syntax: SZ text (macros allowed), MULTI_SZ "a","b", DWORD
	 * 0x00000001, QWORD 16 hex digits little-endian, else hex bytes.
	 */
	const char *value;
	const char *hint;  /**< operationHint or NULL */
	bool is_mutable;
};

struct lab_regkey {
	const char *path;   /**< "HKEY_LOCAL_MACHINE\SOFTWARE\..." */
	const char *sddl;   /**< descriptor name or NULL */
	bool owner;
	GPtrArray *values;  /**< struct lab_regvalue */
};

struct lab_service {
	const char *name, *display, *description, *image_path, *object_name;
	const char *start;          /**< boot, system, auto, demand, disabled, delayedAuto */
	const char *type;           /**< kernelDriver, fileSystemDriver, win32OwnProcess, win32ShareProcess */
	const char *error_control;  /**< ignore, normal, severe, critical */
	const char *group;          /**< or NULL */
	const char *depend_on;      /**< comma list or NULL */
	const char *privileges;     /**< comma list or NULL */
	const char *sid_type;       /**< none, unrestricted, restricted, or NULL */
	const char *service_dll;    /**< share process: Parameters\ServiceDll, written by a registryKey; or NULL */
	uint32_t restart_ms;        /**< failure action: restart after this many ms; 0: none */
};

struct lab_svchost {
	const char *group, *service;
	unsigned position;
};

struct lab_firewall {
	const char *internal_name, *name, *description, *group;
	const char *binary;    /**< macro path */
	const char *direction; /**< In, Out */
	const char *protocol;  /**< "6" */
	const char *local_port;/**< or NULL */
	const char *profile;   /**< "Domain", or NULL for all */
	const char *service;   /**< or NULL */
};

struct lab_task {
	const char *uri;       /**< "\CMIT\UpdateAgent\Check" */
	const char *author, *description;
	const char *command, *arguments; /**< command with %environment% variables */
	const char *start;     /**< "2018-09-15T03:00:00" */
};

/** An ETW publisher with one channel, as instrumentation writes it. */
struct lab_event {
	const char *name;      /**< provider, "Microsoft-Windows-SMBClient" */
	const char *guid;      /**< "{...}" lower case */
	const char *resource;  /**< macro path of the message file */
	const char *channel;   /**< "Microsoft-Windows-SMBClient/Operational" or NULL */
};

struct lab_sddl {
	const char *name, *text;
};

struct lab_dependency {
	struct lab_identity identity;
	const char *discoverable;  /**< yes, no, true, false */
	const char *type;          /**< install, prerequisite */
	const char *resource_type; /**< "Resources" or NULL */
};

/** A component; a deployment is one with `deployment` set and only dependencies. */
struct lab_component {
	struct lab_identity id;
	bool deployment;
	const char *description;
	GPtrArray *dependencies; /**< struct lab_dependency */
	GPtrArray *files;        /**< struct lab_file */
	GPtrArray *directories;  /**< struct lab_directory */
	GPtrArray *keys;         /**< struct lab_regkey */
	GPtrArray *services;     /**< struct lab_service */
	GPtrArray *svchost;      /**< struct lab_svchost */
	GPtrArray *firewall;     /**< struct lab_firewall */
	GPtrArray *tasks;        /**< struct lab_task */
	GPtrArray *events;       /**< struct lab_event */
	GPtrArray *sddls;        /**< struct lab_sddl: definitions in trustInfo */
	GPtrArray *extra;        /**< char *: further elements, verbatim (genericCommands, mof, ...) */
};

/** An empty component; LAB_WRP_FILE and LAB_WRP_KEY are defined in every one that has files or keys. */
struct lab_component *lab_component_new(struct lab_arena *a, struct lab_identity id);
/** Add a file with LAB_WRP_FILE. bytes: taken. */
struct lab_file *lab_add_file(struct lab_arena *a, struct lab_component *c, const char *name,
			      const char *destination_path, GBytes *bytes);
/** The key with this path, made if the component has none yet. */
struct lab_regkey *lab_add_key(struct lab_arena *a, struct lab_component *c, const char *path);
/** A value under a key. */
void lab_add_value(struct lab_arena *a, struct lab_regkey *key, const char *name, uint32_t type,
		   const char *value);
/** An install dependency. */
void lab_add_dependency(struct lab_arena *a, struct lab_component *c, const struct lab_identity *id);

/**
 * The manifest's text: UTF-8, CRLF, asm.v3, a SHA-256 for each file.
 * @return owned by the caller (g_bytes_unref)
 */
GBytes *lab_manifest_text(const struct lab_component *c);

/** The XML of a scheduled task, as it lies in System32\Tasks (UTF-16LE with BOM); g_bytes_unref. */
GBytes *lab_task_file(const struct lab_task *t);

/* ---- packages ---- */

/** One assemblyIdentity of a parent element, with its comparisons. */
struct lab_parent {
	GPtrArray *identities;    /**< struct lab_identity; any one suffices */
	const char *build_compare, *revision_compare, *service_compare; /**< EQ, GE, or NULL */
	const char *disposition;  /**< detect, staged */
	const char *integrate;    /**< separate, delegate, hidden, or NULL */
};

/** A slot of a package. Exactly one of deployment, child, driver is set. */
struct lab_update {
	const char *name;
	const char *display, *description;
	bool selectable;          /**< an optional feature */
	bool default_on;          /**< detectNone default= */
	const struct lab_component *deployment;
	const struct lab_identity *child;   /**< a package */
	const char *child_integrate;        /**< "hidden", or NULL */
	const char *driver_inf;   /**< with driver: "netx.inf" */
	const struct lab_identity *driver;  /**< a dualModeDriver component */
	/** applicable/detectUpdate: the parent package and the update it must have installed; or NULL. */
	const struct lab_identity *applicable_parent;
	const char *applicable_update;
};

struct lab_package {
	struct lab_identity id;
	const char *identifier;     /**< "KB5005568", "Windows Foundation" */
	const char *release_type;   /**< Update, Security Update, Feature Pack, OnDemand Pack, Language Pack */
	const char *description, *display;
	const char *company;        /**< NULL: no attribute */
	const char *support;        /**< supportInformation or NULL */
	const char *restart;        /**< required, possible, or NULL */
	const char *permanence;     /**< "permanent" or NULL */
	bool deep;                  /**< applicabilityEvaluation="deep" */
	bool self_update;
	const char *stack_version;  /**< installerAssembly's version, or NULL */
	const char *capability;     /**< capabilityIdentity name (version 1.0.. in capability_version), or NULL */
	const char *capability_version;
	const char *capability_language; /**< NULL: that of the package, if it has one */
	const char *needs_capability; /**< capability it depends on, in the same version and language; or NULL */
	bool is_satellite;          /**< satelliteInfo/applyTo: for images with the package's language */
	bool has_satellites;        /**< satelliteInfo/declare: it has such parts */
	const char *format;         /**< mum2 PackageFormat "PSFX", or NULL */
	GPtrArray *parents;         /**< struct lab_parent */
	GPtrArray *updates;         /**< struct lab_update */
	GPtrArray *components;      /**< struct lab_component: what its deployments install, with payload */
	GPtrArray *children;        /**< struct lab_package: child packages that travel with it */
};

/** An empty package. */
struct lab_package *lab_package_new(struct lab_arena *a, struct lab_identity id, const char *identifier,
				    const char *release_type);
/** A parent alternative of one identity, disposition detect, buildCompare EQ, revisionCompare GE. */
struct lab_parent *lab_add_parent(struct lab_arena *a, struct lab_package *p, struct lab_identity id);
/** An update that installs a deployment. name NULL: 32 hex digits made from package and deployment. */
struct lab_update *lab_add_deployment(struct lab_arena *a, struct lab_package *p, const char *name,
				      const struct lab_component *deployment);
/** An update that holds a child package; child is put into p->children. */
struct lab_update *lab_add_child(struct lab_arena *a, struct lab_package *p, struct lab_package *child);

/**
 * The .mum's text: UTF-8, CRLF.
 * @return owned by the caller (g_bytes_unref)
 */
GBytes *lab_mum_text(const struct lab_package *p);

/** One file whose digest a package's catalog carries. */
struct lab_member {
	const char *name;  /**< "<package id>.mum", "<keyform>.manifest" */
	GBytes *bytes;     /**< its text; kept by the arena */
};

/**
 * What a package's .cat signs: its .mum, the manifests of its own deployments
 * and of its components. Not those of child packages: they have catalogs of
 * their own. In that order, each kind sorted by name.
 *
 * @return struct lab_member, in the arena
 */
GPtrArray *lab_package_members(struct lab_arena *a, const struct lab_package *p);

#endif
