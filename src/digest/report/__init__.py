"""Results as text for a terminal: plain lines, no colours, nothing a pipe would stumble over."""
