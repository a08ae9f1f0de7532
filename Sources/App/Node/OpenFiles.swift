internal import Glibc

/// How many descriptors this process may have open.
enum OpenFiles {
    /// Takes what the system allows it at most, in place of the usual 1,024: connections of clients and of members are
    /// one each, or more. Where that fails the process goes on with what it has.
    static func raiseLimit() {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
        limit.rlim_cur = limit.rlim_max
        _ = setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }
}
