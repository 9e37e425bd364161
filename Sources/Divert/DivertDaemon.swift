import Glibc
public import Kernel

/// The kernel of this machine as a host, by way of divertd.
public struct DivertDaemon: DivertHost {
  /// The daemon at its usual place.
  public init() {}

  public func open(port: UInt16?) throws(SystemError) -> DivertChannel {
    throw SystemError("open a divert socket", code: ENOENT, advice: "is divertd running?")
  }
}
