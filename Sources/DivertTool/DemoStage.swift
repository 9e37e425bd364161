import Divert

/// Where the tour takes place: three hosts in a row, with the rules and the programs in the middle one.
///
/// ```
///   A ──────────────── B ──────────────── C
///   192.0.2.1          192.0.2.2          198.51.100.2
///                      198.51.100.1
/// ```
protocol DemoStage {
  associatedtype Host: DivertHost

  /// What it is made of, a line for the beginning.
  var setting: String { get }
  /// What it has been, a line for the end.
  var farewell: String { get }
  /// B.
  var host: Host { get }
  /// How long to wait for something that must come.
  var patience: Duration { get }

  /// Runs a command of ipfw in B.
  func ipfw(_ command: String) throws -> String
  /// A begins to ping B, once.
  func startPing(sequence: UInt16) throws
  /// What A's ping tells of its answer, when it has come or will not come any more.
  func pingResult() throws -> [String]
  /// A sends a datagram to C, from port 40000 to port 4000.
  func send(_ message: String) throws
  /// The next datagram that C receives.
  func receive() throws -> String?
}

extension DemoStage {
  static var addressOfA: String { "192.0.2.1" }
  static var addressOfB: String { "192.0.2.2" }
  static var addressOfC: String { "198.51.100.2" }
  static var portOfA: UInt16 { 40_000 }
  static var portOfC: UInt16 { 4000 }
}

/// Something that the tour promises and that did not happen.
struct DemoFailure: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }
}
