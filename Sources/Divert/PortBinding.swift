public import Kernel

/// A socket's hold on its port, to be let go by any thread or task while another one reads.
///
/// ```swift
/// var socket = try DivertSocket(port: 2000)
/// let (writer, binding) = (socket.writer, socket.binding)
/// stopButton.whenPressed { try? binding.release() }
/// while !socket.isDrained {
///   let batch = try await socket.read()
///   writer.reinject(batch)
/// }
/// ```
public struct PortBinding: Sendable {
  let connection: Connection

  /// The port that is, or was, bound.
  public var port: UInt16 { connection.port }

  /// Frees the port, and lets the socket be drained.
  ///
  /// When this returns the port can be bound again, and no packet is diverted to this socket any more. What had been
  /// diverted to it waits to be read; whoever reads is woken, gets that, then empty batches
  /// (``DivertSocket/isDrained``), and a sequence of packets ends. Writing goes on as before, until the socket is closed.
  /// A second call does nothing.
  ///
  /// - Throws: `EBADF` when the socket has been closed, `ECONNRESET` when divertd has ended.
  public func release() throws(SystemError) { try connection.release() }
}
