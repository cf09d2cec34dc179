"""What runs inside the sandbox: loads the three files, trains or predicts, sends frames out."""
