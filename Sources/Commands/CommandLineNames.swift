package import ArgumentParser

/// How options are spelt, by all commands alike.
package enum CommandLineNames {
    /// `-name` and `--name`.
    package static func both(_ names: String...) -> NameSpecification {
        NameSpecification(names.flatMap { [.customLong($0, withSingleDash: true), .customLong($0)] })
    }

    /// `-h`, `-help` and `--help`.
    package static let help = NameSpecification([.short, .customLong("help", withSingleDash: true), .long])
}
