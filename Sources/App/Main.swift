import ArgumentParser
import Hummingbird
import Logging
import ServiceLifecycle
import Yams
@main struct Main { static func main() { print("hello") } }
