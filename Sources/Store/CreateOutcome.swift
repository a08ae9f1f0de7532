/// What became of a create.
package enum CreateOutcome: Hashable, Sendable {
    case created(Todo)
    /// A todo with this `extern_id` is there; nothing was written.
    case exists
}
