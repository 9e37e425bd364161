import BPF
import Kernel
import RuleCompiler

/// A device on which divert sockets live, with its hook. It is gone when nobody holds this any more.
final class HostLink: Sendable {
  // The hook goes before the device that it is attached to.
  private let hook: Link
  private let device: TapDevice
  var index: UInt32 { device.index }

  static func name(ofPort port: UInt16) -> String { "divert\(port)" }

  init(_ device: consuming TapDevice, program: borrowing Program) throws(SystemError) {
    hook = try Link(program, to: device.index, .egress)
    self.device = device
  }
}
