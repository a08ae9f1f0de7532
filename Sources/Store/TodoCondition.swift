/// Whether a write may go on: asked of the todo as it is, in the write's own transaction. Must be quick; runs on the
/// writer's thread.
package typealias TodoCondition = @Sendable (Todo) -> Bool
