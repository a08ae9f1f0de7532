/// A file that the configuration names and that is of no use: one sentence for the operator. It shows nothing of what is
/// in the file.
struct UnusableFile: Error, Equatable, CustomStringConvertible {
    /// That names the file: `node.http.tls.cert`.
    var key: String
    var path: String
    var reason: String

    var description: String { "\(key): cannot use \(path): \(reason)" }

    static func read(_ path: String, key: String, maximumBytes: Int) throws(Self) -> SmallFile {
        do throws(SmallFile.Failure) {
            return try SmallFile(path, maximumBytes: maximumBytes)
        } catch {
            throw Self(key: key, path: path, reason: error.description)
        }
    }
}
