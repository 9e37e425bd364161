package import Kernel

/// Why a capture cannot be read, or not any further.
package enum CaptureError: Error, Equatable, CustomStringConvertible {
  case unreadable(SystemError)
  /// From its first bytes on.
  case noCapture(String)
  /// Bytes that contradict the format, and where: nothing behind them can be trusted.
  case corrupt(String, at: UInt64)
  case linkType(UInt32)

  package var description: String {
    switch self {
    case .unreadable(let error): error.description
    case .noCapture(let reason): "no capture that can be read: \(reason)"
    case .corrupt(let reason, let offset): "corrupt at byte \(offset): \(reason)"
    case .linkType(let number):
      "link type \(number) cannot be read; Ethernet, raw IP, Linux cooked, loopback, PPP, PPPoE, Cisco HDLC, SLIP, NFLOG "
        + "and PFLOG captures can"
    }
  }
}
