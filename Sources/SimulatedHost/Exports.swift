// What a program says to `SimulatedHost.setPolicy(_:ofPort:)`.
@_exported public import enum DivertWire.UnboundPolicy
