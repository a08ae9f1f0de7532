import Transport

/// `Transport.Channel` under another name, for files that import NIO, whose `Channel` is something else. It cannot be
/// written with its module's name, because that is a protocol's name too.
typealias MessageChannel = Channel
