internal import Glibc

/// How many descriptors this process may have open.
package enum OpenFiles {
    /// 0 where the system does not tell.
    package static var limit: UInt { limits?.rlim_cur ?? 0 }

    /// Takes what the system allows it at most, in place of the usual 1,024: connections of clients and of members are
    /// one each, or more. Where that fails the process goes on with what it has.
    package static func raiseLimit() {
        guard var limits else { return }
        limits.rlim_cur = limits.rlim_max
        _ = setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limits)
    }

    private static var limits: rlimit? {
        var limits = rlimit()
        return getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limits) == 0 ? limits : nil
    }
}
