/// What this program calls itself.
enum BuildInfo {
    static let version = "0.1.0"
}
