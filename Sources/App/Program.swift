public import TransportKit

/// Runs what the command line asks for with these transports, the default first, and ends the process: with 0 when all went
/// well, 2 when the arguments or the configuration are wrong, 1 when anything else failed.
///
/// At least one transport; kinds and names of options are unique.
public func runProgram(transports: [TransportPlugin]) async -> Never {
    await TransportRegistry.with(transports) { await RootCommand.run(nil) }.end()
}
