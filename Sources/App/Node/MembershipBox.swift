internal import Foundation

/// Holds the membership driver from the moment it exists; `/health/info` answers before.
///
/// `@unchecked Sendable`: the reference is touched under `lock` only.
final class MembershipBox: @unchecked Sendable {
    private let lock = NSLock()
    private var value: MembershipDriver?

    var driver: MembershipDriver? {
        get { lock.withLock { value } }
        set { lock.withLock { value = newValue } }
    }
}
